"""Writing on to an upload, which one request does at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from starlette.exceptions import HTTPException

from keepsight.server.failures import conflict
from keepsight.server.uploads.disk import disk_failure, written
from keepsight.server.uploads.upload import Upload


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
        with written():
            view = memoryview(content)
            while view:
                num_written = os.write(self._descriptor, view)
                self.offset += num_written
                view = view[num_written:]
            if self.offset == self._num_bytes:
                os.fsync(self._descriptor)


@contextmanager
def writing(upload: Upload, offset: int) -> Iterator[UploadWriter]:
    """Write on from an offset; nobody else can meanwhile.

    Args:
        upload: is not whole yet.
        offset: bytes that the client believes to be there.

    Raises:
        JournalWriteError: it cannot be written.
        HTTPException: 404, it was removed; 409, there is another offset, or somebody else is writing.
    """
    try:
        descriptor = os.open(upload.path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    except FileNotFoundError:
        raise no_such_upload() from None
    except OSError as error:
        raise disk_failure(error) from error
    try:
        _lock_file(descriptor)
        there = os.fstat(descriptor).st_size
        if there != offset:
            message = f"the upload goes on at {there}, not at {offset}"
            raise HTTPException(HTTPStatus.CONFLICT, message, {"Upload-Offset": str(there)})
        yield UploadWriter(descriptor, upload.num_bytes, there)
    finally:
        os.close(descriptor)


def no_such_upload() -> HTTPException:
    """What a request for an upload that is not there gets."""
    return HTTPException(HTTPStatus.NOT_FOUND, "there is no such upload, or no longer")


def _lock_file(descriptor: int) -> None:
    """Linux manual, flock(2): taken back when the file is closed, however that comes."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise conflict("another request is writing to this upload") from None
