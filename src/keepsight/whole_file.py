"""Atomic replacement of a file."""

import contextlib
import os
import secrets
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO


def write_whole(path: Path, content: bytes | Iterable[bytes]) -> int:
    """Replace a file atomically: after a crash or error it has either its old or its complete new content.

    A symlink stays and its target is replaced. A device or pipe is written to, not replaced. A new file is readable by
    its owner only; a replaced one keeps its permissions.

    Args:
        path: the file; its folder must exist.
        content: the content, or an iterable of its parts.

    Returns:
        Bytes written.

    Raises:
        OSError: the disk is full or read-only, or the folder is missing. An existing file is unchanged.
    """
    path, parts = path.resolve(), [content] if isinstance(content, bytes) else content
    if path.exists() and not path.is_file():
        with path.open("wb") as device:
            return sum(map(device.write, parts))
    partial = partial_path(path)
    try:
        with open_private(partial) as file:
            if path.exists():
                os.fchmod(file.fileno(), stat.S_IMODE(path.stat().st_mode))
            num_bytes = sum(map(file.write, parts))
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        with contextlib.suppress(OSError):  # exists only after an error
            partial.unlink()
    return num_bytes


def partial_path(path: Path) -> Path:
    """A name beside a file for its unfinished content; each call gives another, as two programs may write at once."""
    return path.with_name(f".keepsight-{secrets.token_hex(8)}.partial")


def open_private(path: Path) -> BinaryIO:
    """Create or truncate a file that only its owner can read, whatever the umask.

    Raises:
        OSError: writing failed.
    """
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb")
