"""Replacing a file in one step."""

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path


def write_whole(path: Path, content: bytes | Iterable[bytes]) -> int:
    """Replace the file at `path`: after a crash or an error it holds what it held before, or the new content, whole.

    A link stays, and the file that it leads to is replaced. A device or a pipe is written to, not replaced.

    Args:
        path: of the file; its folder must exist.
        content: all of it, or its parts, each written as it comes.

    Returns:
        Bytes that were written.

    Raises:
        OSError: the disk is full or read-only, or the folder is missing. A file that was there still is.
    """
    path, parts = path.resolve(), [content] if isinstance(content, bytes) else content
    if path.exists() and not path.is_file():
        with path.open("wb") as device:
            return sum(map(device.write, parts))
    partial = path.with_name(f"{path.name}.partial")
    try:
        with partial.open("wb") as file:
            num_bytes = sum(map(file.write, parts))
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        with contextlib.suppress(OSError):  # it is there only where something went wrong
            partial.unlink()
    return num_bytes
