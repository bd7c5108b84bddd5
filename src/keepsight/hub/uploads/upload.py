"""An upload: name, folder, size, and disk errors."""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from keepsight.errors import DiskFullError, JournalWriteError, KeepsightError

UPLOAD_SCHEME = "upload:"
"""Prefix of an uploaded source's name: `upload:ID/FILENAME`."""

_LONGEST_NAME = 200


def upload_folder(journal: Path) -> Path:
    """Uploads folder of a journal."""
    return journal.with_name(f"{journal.name}.uploads")


def upload_id_of(source: str) -> str:
    """Upload id in a source name `upload:ID/FILENAME`; empty for other sources."""
    return source.removeprefix(UPLOAD_SCHEME).partition("/")[0] if source.startswith(UPLOAD_SCHEME) else ""


def shown_source(source: str) -> str:
    """Source name for display: of an upload, the client's file name."""
    return source.partition("/")[2] if source.startswith(UPLOAD_SCHEME) else source


def harmless_name(filename: str) -> str:
    """Last part of a client's path, limited to printable characters and length."""
    last = re.split(r"[/\\]", filename)[-1]
    printable = "".join(sign if sign.isprintable() else " " for sign in last).strip()
    if len(printable) > _LONGEST_NAME:
        suffix = PurePosixPath(printable).suffix[:16]
        printable = printable[: _LONGEST_NAME - len(suffix)] + suffix
    return printable or "upload"


@dataclass(frozen=True)
class UploadLimits:
    """Upload limits.

    Attributes:
        max_bytes: limit per upload.
        max_uploads: limit of uploads without a stream.
        max_total_bytes: limit of all uploads together, including bytes still to come.
    """

    max_bytes: int
    max_uploads: int
    max_total_bytes: int


@dataclass(frozen=True)
class Upload:
    """A partial or complete upload.

    Attributes:
        id: generated id.
        filename: client's file name, sanitized, for display only.
        num_bytes: size of the complete file.
        path: its file.
        offset: bytes received.
    """

    id: str
    filename: str
    num_bytes: int
    path: Path
    offset: int

    @property
    def source(self) -> str:
        """Source name in the journal."""
        return f"{UPLOAD_SCHEME}{self.id}/{self.filename}"


_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@contextmanager
def written() -> Iterator[None]:
    """Convert system errors.

    Raises:
        DiskFullError: the disk is full.
        JournalWriteError: any other error.
    """
    try:
        yield
    except OSError as error:
        raise disk_failure(error) from error


def disk_failure(error: OSError) -> KeepsightError:
    """Error for a system error."""
    if error.errno in _NO_ROOM:
        return DiskFullError("not enough disk space for the upload")
    return JournalWriteError(f"cannot write the upload: {error.strerror or error}")
