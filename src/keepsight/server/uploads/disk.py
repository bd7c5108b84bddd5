"""What goes wrong with the disk that uploads lie on, in our own words."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from keepsight.errors import DiskFullError, JournalWriteError, KeepsightError

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@contextmanager
def written() -> Iterator[None]:
    """Make each of the system's errors one of ours.

    Raises:
        DiskFullError: there is no room.
        JournalWriteError: anything else.
    """
    try:
        yield
    except OSError as error:
        raise disk_failure(error) from error


def disk_failure(error: OSError) -> KeepsightError:
    """The error that says what the system said."""
    if error.errno in _NO_ROOM:
        return DiskFullError("there is no room on the disk for the upload")
    return JournalWriteError(f"uploads cannot be written: {error.strerror or error}")
