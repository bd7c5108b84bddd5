"""Check of a file's length against what its container states.

An interrupted copy or download leaves a file whose outermost element claims more bytes than exist. This is exact,
whereas comparing durations is a guess: audio may outlast the pictures, and the last picture may stay on screen for any
time. Supported are ISO base media (ISO/IEC 14496-12, section 4.2), Matroska (RFC 8794, section 4 and RFC 9559, section
5.1) and RIFF as used by AVI.

Another program may truncate, replace or delete a file during reading; `FileExtent` tracks its length.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from keepsight.errors import SourceNotFoundError
from keepsight.incoming import one_line

_MP4_BOXES = frozenset(b"ftyp styp moov moof mdat mfra sidx free skip wide udta uuid meta".split())
_EBML_ID = b"\x1a\x45\xdf\xa3"
_SEGMENT_ID = b"\x18\x53\x80\x67"
_RIFF_SLACK_BYTES = 8  # writers disagree on whether padding counts


def missing_bytes(path: Path) -> int:
    """Bytes missing from a file according to its container; 0 if it is whole or states no length.

    Raises:
        OSError: the file can't be read.
    """
    with path.open("rb") as file:
        return missing_bytes_of(file, path.stat().st_size)


def missing_bytes_of(file: BinaryIO, size: int) -> int:
    """Like `missing_bytes`, for an open file at its start; moves its position."""
    head = file.read(12)
    if head[:4] == _EBML_ID:
        claimed = _matroska_end(file)
    elif head[:4] == b"RIFF" and head[8:] == b"AVI ":
        claimed = 8 + int.from_bytes(head[4:8], "little") - _RIFF_SLACK_BYTES
    elif head[4:8] in _MP4_BOXES:
        claimed = _mp4_end(file, size)
    else:
        claimed = 0
    return max(0, claimed - size)


def _mp4_end(file: BinaryIO, file_size: int) -> int:
    """End of the last top-level box; 0 if the list of boxes cannot be followed."""
    start = 0
    while start + 8 <= file_size:
        file.seek(start)
        header = file.read(16)
        length, kind = int.from_bytes(header[:4], "big"), header[4:8]
        if length == 1 and len(header) == 16:
            length = int.from_bytes(header[8:], "big")
        # Length 0 means up to the end of the file; other small lengths and unknown names mean bytes after the last box.
        if length < 8 or kind not in _MP4_BOXES:
            return 0
        start += length
    return start


def _matroska_end(file: BinaryIO) -> int:
    """End of the segment; 0 if its size is unknown, as in a live recording."""
    file.seek(len(_EBML_ID))
    header_length = _read_vint(file)
    if header_length is None:
        return 0
    file.seek(header_length, 1)
    if file.read(len(_SEGMENT_ID)) != _SEGMENT_ID:
        return 0
    segment_length = _read_vint(file)
    return 0 if segment_length is None else file.tell() + segment_length


def _read_vint(file: BinaryIO) -> int | None:
    """Read a variable-size integer (RFC 8794, section 4); None if reserved for "unknown" or broken."""
    first = file.read(1)
    if not first or first[0] == 0:
        return None
    num_bytes = 9 - first[0].bit_length()
    digits = first + file.read(num_bytes - 1)
    value_mask = (1 << (7 * num_bytes)) - 1
    value = int.from_bytes(digits, "big") & value_mask
    return None if len(digits) != num_bytes or value == value_mask else value


@dataclass(frozen=True)
class FileExtent:
    """A file as of the start of reading.

    Attributes:
        path: its path.
        identity: device and inode, which tell it from another file at the same path.
        num_bytes: its length.
        is_cut_off: whether it is shorter than its container states.
    """

    path: Path
    identity: tuple[int, int]
    num_bytes: int
    is_cut_off: bool

    @classmethod
    def of(cls, path: Path) -> "FileExtent":
        """Extent of an open file.

        Raises:
            SourceNotFoundError: it has just been deleted.
        """
        try:
            stat = path.stat()
            return cls(path, (stat.st_dev, stat.st_ino), stat.st_size, missing_bytes(path) > 0)
        except OSError as error:
            raise SourceNotFoundError(f"{one_line(path)} is gone: {error.strerror}") from error

    def lacks_bytes(self) -> bool:
        """Whether the file lacks its end now. A deleted or replaced file stays whole for its open handle."""
        try:
            stat = self.path.stat()
            is_same = (stat.st_dev, stat.st_ino) == self.identity
            return is_same and (stat.st_size < self.num_bytes or missing_bytes(self.path) > 0)
        except OSError:
            return False
