"""Files that this process, and so a server in it, has open."""

from contextlib import suppress
from pathlib import Path

import pytest

DESCRIPTORS = Path("/proc/self/fd")

needs_proc = pytest.mark.skipif(not DESCRIPTORS.is_dir(), reason="open files are listed on Linux")


def num_open(path: Path) -> int:
    """How often a file is open."""
    found = 0
    for descriptor in DESCRIPTORS.iterdir():
        with suppress(OSError):  # it may be closed meanwhile
            found += descriptor.readlink() == path
    return found
