"""Replacing a file in one step."""

import contextlib
import os
from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """Replace the file at `path`: after a crash or an error it holds what it held before, or the new content, whole.

    A link stays, and the file that it leads to is replaced. A device or a pipe is written to, not replaced.

    Raises:
        OSError: the disk is full or read-only, or the folder is missing. A file that was there still is.
    """
    path = path.resolve()
    if path.exists() and not path.is_file():
        path.write_bytes(content)
        return
    partial = path.with_name(f"{path.name}.partial")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise
