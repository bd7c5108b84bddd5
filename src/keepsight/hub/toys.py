"""Toy videos made by the server, so there is something to watch at once."""

import errno
import os
from collections.abc import Sequence
from pathlib import Path

from keepsight.errors import DiskFullError, KeepsightError
from keepsight.toyworld.files import ToyVideoSettings, make_video

TOY_FOLDER = "keepsight-toys"
"""Folder in a root for toy videos."""


def toy_video(roots: Sequence[Path], settings: ToyVideoSettings) -> Path:
    """Return the toy video of these settings, making it on first use.

    Args:
        roots: root folders; the first writable one is used.
        settings: what to make; equal settings make equal videos.

    Returns:
        Its path. The ground truth is next to it as JSON.

    Raises:
        KeepsightError: no folder is writable, or the disk is full.
    """
    folder = _folder(roots)
    name = f"toy-world-{settings.seed}-{settings.minutes:g}min.mp4"
    path = folder / name
    if path.exists():
        return path
    try:
        make_video(path, settings)
    except OSError as error:
        kind = DiskFullError if error.errno == errno.ENOSPC else KeepsightError
        raise kind(f"cannot make a toy video: {error.strerror}") from error
    return path


def _folder(roots: Sequence[Path]) -> Path:
    for root in roots:
        folder = Path(os.path.realpath(root)) / TOY_FOLDER
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK) and not folder.is_symlink():
            return folder
    raise KeepsightError("cannot make a toy video: no root folder is writable")
