"""Appending to an upload, by one request at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from keepsight.errors import ConflictError, NotFoundError, TooLargeError, UploadOffsetError
from keepsight.hub.uploads.upload import Upload, disk_failure, written


class UploadWriter:
    """Appends to an upload under an exclusive lock.

    Args:
        descriptor: file descriptor.
        num_bytes: size of the complete upload.
        offset: bytes received.
    """

    def __init__(self, descriptor: int, num_bytes: int, offset: int) -> None:
        self._descriptor = descriptor
        self._num_bytes = num_bytes
        self.offset = offset

    def check_fits(self, num_more: int) -> None:
        """Check that a chunk stays within the announced size.

        Raises:
            TooLargeError: it does not.
        """
        if self.offset + num_more > self._num_bytes:
            message = f"only {self._num_bytes - self.offset} of the upload's {self._num_bytes} bytes are missing"
            raise TooLargeError(message)

    def write(self, content: bytes) -> None:
        """Append a chunk; it is on disk when this returns.

        Raises:
            DiskFullError, JournalWriteError: only a part was written; resuming may succeed later.
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
    """Lock an upload for writing at an offset.

    Args:
        upload: an incomplete upload.
        offset: offset that the client expects.

    Raises:
        JournalWriteError: it is not writable.
        NotFoundError: it was removed.
        ConflictError: the offset differs, or another request is writing.
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
            message = f"offset must be {there}, got {offset}"
            raise UploadOffsetError(message, there)
        yield UploadWriter(descriptor, upload.num_bytes, there)
    finally:
        os.close(descriptor)


def no_such_upload() -> NotFoundError:
    """Error for a request of a missing upload."""
    return NotFoundError("no such upload, or it was removed")


def _lock_file(descriptor: int) -> None:
    """Lock with flock(2), released when the file is closed, even by a crash."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ConflictError("another request is writing to this upload") from None
