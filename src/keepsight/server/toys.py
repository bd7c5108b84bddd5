"""Toy videos made by the server, so that there is something to watch at once."""

import errno
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from keepsight.errors import DiskFullError, KeepsightError
from keepsight.toyworld.files import ToyVideoSettings, make_video

TOY_FOLDER = "keepsight-toys"
"""Where in a root toy videos are put."""


def toy_video(roots: Sequence[Path], settings: ToyVideoSettings) -> Path:
    """The toy video of these settings, made where it is not there yet.

    Args:
        roots: folders in which sources may lie; it goes into the first that can be written to.
        settings: what to make; the same settings always make the same video.

    Returns:
        Its path. What is true of it stands beside it as JSON.

    Raises:
        KeepsightError: none of the folders can be written to, or the disk is full.
    """
    folder = _folder(roots)
    name = f"toy-world-{settings.seed}-{settings.minutes:g}min.mp4"
    path = folder / name
    if path.exists():
        return path
    part = folder / f".{secrets.token_hex(8)}.mp4"
    try:
        make_video(part, settings)
        part.with_suffix(".json").replace(path.with_suffix(".json"))
        part.replace(path)
    except OSError as error:
        kind = DiskFullError if error.errno == errno.ENOSPC else KeepsightError
        raise kind(f"cannot make a toy video: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
        part.with_suffix(".json").unlink(missing_ok=True)
    return path


def _folder(roots: Sequence[Path]) -> Path:
    for root in roots:
        folder = Path(os.path.realpath(root)) / TOY_FOLDER
        try:
            folder.mkdir(exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK) and not folder.is_symlink():
            return folder
    raise KeepsightError("no folder that sources may lie in can be written to, so no toy video can be made")
