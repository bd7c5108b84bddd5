"""Whether a file is as long as its own container says.

A copy or a download that stopped leaves a file whose outermost element claims more bytes than there are. That is
exact where a comparison of durations is a guess: audio may be longer than the pictures, and the last picture may stay
on screen for any time. Read are ISO base media (ISO/IEC 14496-12, section 4.2), Matroska (RFC 8794, section 4 and
RFC 9559, section 5.1) and RIFF as used by AVI.
"""

from pathlib import Path
from typing import BinaryIO

_MP4_BOXES = frozenset(b"ftyp styp moov moof mdat mfra sidx free skip wide udta uuid meta".split())
_EBML_ID = b"\x1a\x45\xdf\xa3"
_SEGMENT_ID = b"\x18\x53\x80\x67"
_RIFF_SLACK_BYTES = 8  # writers disagree on whether padding counts


def missing_bytes(path: Path) -> int:
    """Bytes by which a file falls short of what its container claims; 0 where it is whole or claims nothing.

    Raises:
        OSError: the file can't be read.
    """
    with path.open("rb") as file:
        return missing_bytes_of(file, path.stat().st_size)


def missing_bytes_of(file: BinaryIO, size: int) -> int:
    """As `missing_bytes`, of an open file at its start; its place is somewhere else afterwards."""
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
    """End of the last top-level box, or 0 where the list of boxes can't be followed."""
    start = 0
    while start + 8 <= file_size:
        file.seek(start)
        header = file.read(16)
        length, kind = int.from_bytes(header[:4], "big"), header[4:8]
        if length == 1 and len(header) == 16:
            length = int.from_bytes(header[8:], "big")
        # Length 0 means up to the end of the file; other small lengths and unknown names are bytes after the last box.
        if length < 8 or kind not in _MP4_BOXES:
            return 0
        start += length
    return start


def _matroska_end(file: BinaryIO) -> int:
    """End of the segment, or 0 where it is of unknown size, as in a live recording."""
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
    """A variable-size integer (RFC 8794, section 4); None where it is reserved for "unknown" or broken."""
    first = file.read(1)
    if not first or first[0] == 0:
        return None
    num_bytes = 9 - first[0].bit_length()
    digits = first + file.read(num_bytes - 1)
    value_mask = (1 << (7 * num_bytes)) - 1
    value = int.from_bytes(digits, "big") & value_mask
    return None if len(digits) != num_bytes or value == value_mask else value
