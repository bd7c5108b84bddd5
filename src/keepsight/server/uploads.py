"""Files that clients bring, in chunks: beside the journal, under names made here, until their stream is removed.

Nothing is kept in memory. Of each upload there is a file with what has come so far, whose size is the offset, and one
with what the client said of it; so an upload goes on after the server was stopped, or died.
"""

import errno
import fcntl
import json
import os
import re
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path, PurePosixPath

from starlette.exceptions import HTTPException

from keepsight.errors import DiskFullError, JournalWriteError, KeepsightError
from keepsight.server.failures import conflict, too_many
from keepsight.server.media_types import VIDEO_TYPES
from keepsight.sources.address import SourceAddress, SourceKind

UPLOAD_SCHEME = "upload:"
"""How the name of a source begins that was uploaded: `upload:ID/FILENAME`."""

UNUSED_SECONDS = 86_400.0
"""An upload of which no stream was made is removed so long after its last chunk."""

_ID = re.compile(r"[0-9a-f]{32}")
_LONGEST_NAME = 200
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@dataclass(frozen=True)
class UploadLimits:
    """How much clients may bring.

    Attributes:
        max_bytes: largest upload.
        max_uploads: of which no stream has been made yet.
        max_total_bytes: of all uploads, what is still to come of them included.
    """

    max_bytes: int
    max_uploads: int
    max_total_bytes: int


@dataclass(frozen=True)
class Upload:
    """A file that is being brought, or is whole.

    Attributes:
        id: made here.
        filename: what the client calls it, made harmless; only ever shown.
        num_bytes: of the whole file.
        path: where it lies.
        offset: bytes that are there.
    """

    id: str
    filename: str
    num_bytes: int
    path: Path
    offset: int

    @property
    def source(self) -> str:
        """What the journal calls it."""
        return f"{UPLOAD_SCHEME}{self.id}/{self.filename}"


class UploadStore:
    """The uploads of a journal. All methods may be called from any thread.

    Args:
        folder: where they lie; made with the first.
        limits: how much may be brought.
        is_used: whether there is a stream of a source's name.
        now: seconds since 1970.
    """

    def __init__(
        self,
        folder: Path,
        limits: UploadLimits,
        is_used: Callable[[str], bool],
        now: Callable[[], float] = time.time,
    ) -> None:
        self.folder = Path(os.path.realpath(folder))
        self.limits = limits
        self._is_used = is_used
        self._now = now
        self._lock = threading.Lock()

    def begin(self, filename: str, num_bytes: int) -> Upload:
        """A place for a file that is to come.

        Raises:
            DiskFullError: the disk has not so much room.
            JournalWriteError: the folder cannot be written to.
            HTTPException: 413, it is larger than is allowed; 429, there are too many, or too much.
        """
        if num_bytes > self.limits.max_bytes:
            message = f"an upload has at most {self.limits.max_bytes} bytes"
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message)
        name = harmless_name(filename)
        suffix = PurePosixPath(name).suffix.lower()
        with self._lock, _written():
            self.folder.mkdir(mode=0o700, exist_ok=True)
            self._remove_unused()
            self._check_room(num_bytes)
            upload_id = secrets.token_hex(16)
            path = self.folder / (upload_id + (suffix if suffix in VIDEO_TYPES else ""))
            said = json.dumps({"filename": name, "num_bytes": num_bytes, "path": path.name})
            path.touch(mode=0o600, exist_ok=False)
            part = self._description(upload_id).with_suffix(".part")
            part.write_text(said, encoding="utf-8")
            part.replace(self._description(upload_id))
        return Upload(upload_id, name, num_bytes, path, 0)

    def get(self, upload_id: str) -> Upload:
        """The upload with an id, which may be any text.

        Raises:
            HTTPException: 404, there is none, or no longer.
        """
        found = self._read(upload_id) if _ID.fullmatch(upload_id) else None
        if found is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, "there is no such upload, or no longer")
        return found

    @contextmanager
    def writing(self, upload: Upload, offset: int) -> Iterator["UploadWriter"]:
        """Write on from an offset; nobody else can meanwhile.

        Raises:
            JournalWriteError: it cannot be written.
            HTTPException: 404, it was removed; 409, there is another offset, or somebody else is writing.
        """
        try:
            descriptor = os.open(upload.path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        except FileNotFoundError:
            raise HTTPException(HTTPStatus.NOT_FOUND, "there is no such upload, or no longer") from None
        except OSError as error:
            raise _failure(error) from error
        try:
            _lock_file(descriptor)
            there = os.fstat(descriptor).st_size
            if there != offset:
                message = f"the upload goes on at {there}, not at {offset}"
                raise HTTPException(HTTPStatus.CONFLICT, message, {"Upload-Offset": str(there)})
            yield UploadWriter(descriptor, upload.num_bytes, there)
        finally:
            os.close(descriptor)

    def discard(self, upload_id: str) -> None:
        """Remove an upload of which there is no stream.

        Raises:
            HTTPException: 404; 409, there is a stream, or it is being written.
        """
        upload = self.get(upload_id)
        if self._is_used(upload.source):
            raise conflict("there is a stream of this upload: remove that")
        with self.writing(upload, upload.path.stat().st_size):
            self._remove(upload)

    def forget(self, source: str) -> None:
        """A stream of a source was removed, or none could be made: if it was the last of an upload, that goes, too."""
        upload_id = upload_id_of(source)
        found = self._read(upload_id) if upload_id else None
        if found is not None and not self._is_used(source):
            self._remove(found)

    def address_of(self, source: str) -> SourceAddress:
        """Where the source of an upload is read.

        Raises:
            HTTPException: 404; 409, it is not whole yet.
        """
        upload = self.get(upload_id_of(source))
        if upload.offset < upload.num_bytes:
            raise conflict(f"{upload.offset} of the upload's {upload.num_bytes} bytes are there")
        return SourceAddress(SourceKind.FILE, str(upload.path), upload.source)

    def without_paths(self, text: str) -> str:
        """A message as clients may see it: they know nothing of the folder."""
        return re.sub(re.escape(str(self.folder)) + r"/[0-9a-f]{32}[.\w]*", "the upload", text)

    def _description(self, upload_id: str) -> Path:
        return self.folder / f"{upload_id}.json"

    def _read(self, upload_id: str) -> Upload | None:
        try:
            said = json.loads(self._description(upload_id).read_text(encoding="utf-8"))
            path = self.folder / said["path"]
            return Upload(upload_id, said["filename"], said["num_bytes"], path, path.stat().st_size)
        except (OSError, ValueError, KeyError):  # not there, or what a power cut left of it
            return None

    def _all(self) -> list[Upload]:
        found = (self._read(path.stem) for path in self.folder.glob("*.json") if _ID.fullmatch(path.stem))
        return [upload for upload in found if upload is not None]

    def _check_room(self, num_bytes: int) -> None:
        uploads = self._all()
        unused = [upload for upload in uploads if not self._is_used(upload.source)]
        if len(unused) >= self.limits.max_uploads:
            raise too_many(f"{len(unused)} uploads wait for a stream, which is the most: watch or remove one of them")
        total = sum(upload.num_bytes for upload in uploads)
        if total + num_bytes > self.limits.max_total_bytes:
            raise too_many(
                f"all uploads have {total} of at most {self.limits.max_total_bytes} bytes: remove a stream of one"
            )
        to_come = sum(upload.num_bytes - upload.offset for upload in unused)
        if num_bytes + max(0, to_come) > shutil.disk_usage(self.folder).free:
            raise DiskFullError(f"the disk has no room for {num_bytes} bytes")

    def _remove_unused(self) -> None:
        """Remove what nobody went on with, and what a power cut left."""
        for path in list(self.folder.iterdir()):
            upload_id = path.name[:32]
            is_there = _ID.fullmatch(upload_id) is not None and path.exists()  # not gone with its description
            if not is_there or self._now() - path.stat().st_mtime < UNUSED_SECONDS:
                continue
            upload = self._read(upload_id)
            if upload is None:
                path.unlink(missing_ok=True)
            elif self._now() - upload.path.stat().st_mtime >= UNUSED_SECONDS and not self._is_used(upload.source):
                self._remove(upload)

    def _remove(self, upload: Upload) -> None:
        with _written():
            upload.path.unlink(missing_ok=True)
            self._description(upload.id).unlink(missing_ok=True)


class UploadWriter:
    """Appends to an upload that nobody else writes to.

    Args:
        descriptor: of its file.
        num_bytes: of the whole upload.
        offset: bytes that are there.
    """

    def __init__(self, descriptor: int, num_bytes: int, offset: int) -> None:
        self._descriptor = descriptor
        self._num_bytes = num_bytes
        self.offset = offset

    def check_fits(self, num_more: int) -> None:
        """Refuse what is more than was announced.

        Raises:
            HTTPException: 413.
        """
        if self.offset + num_more > self._num_bytes:
            message = f"the upload has {self._num_bytes} bytes, of which {self._num_bytes - self.offset} are missing"
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message)

    def write(self, content: bytes) -> None:
        """Append; what is whole is on disk when this returns.

        Raises:
            DiskFullError, JournalWriteError: as much as there was room for is there; going on may help later.
        """
        with _written():
            view = memoryview(content)
            while view:
                num_written = os.write(self._descriptor, view)
                self.offset += num_written
                view = view[num_written:]
            if self.offset == self._num_bytes:
                os.fsync(self._descriptor)


def upload_folder(journal: Path) -> Path:
    """Where the uploads of a journal lie."""
    return journal.with_name(f"{journal.name}.uploads")


def upload_id_of(source: str) -> str:
    """The id in a source's name `upload:ID/FILENAME`; empty where it is no upload's."""
    return source.removeprefix(UPLOAD_SCHEME).partition("/")[0] if source.startswith(UPLOAD_SCHEME) else ""


def shown_source(source: str) -> str:
    """What users see for a source's name: of an upload, what the client calls the file."""
    return source.partition("/")[2] if source.startswith(UPLOAD_SCHEME) else source


def harmless_name(filename: str) -> str:
    """The last part of a client's path, of printable signs, not too long."""
    last = re.split(r"[/\\]", filename)[-1]
    printable = "".join(sign if sign.isprintable() else " " for sign in last).strip()
    if len(printable) > _LONGEST_NAME:
        suffix = PurePosixPath(printable).suffix[:16]
        printable = printable[: _LONGEST_NAME - len(suffix)] + suffix
    return printable or "upload"


def _lock_file(descriptor: int) -> None:
    """Linux manual, flock(2): taken back when the file is closed, however that comes."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise conflict("another request is writing to this upload") from None


@contextmanager
def _written() -> Iterator[None]:
    """Say what went wrong with the disk in our own words."""
    try:
        yield
    except OSError as error:
        raise _failure(error) from error


def _failure(error: OSError) -> KeepsightError:
    if error.errno in _NO_ROOM:
        return DiskFullError("there is no room on the disk for the upload")
    return JournalWriteError(f"uploads cannot be written: {error.strerror or error}")
