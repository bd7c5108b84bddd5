"""Surgery on the boxes of MP4 files (ISO/IEC 14496-12): what their tables claim, how deep they lie."""

import zlib


def box(kind: bytes, content: bytes = b"", claims: int | None = None) -> bytes:
    """A box; `claims` is the size that it says it has."""
    return (8 + len(content) if claims is None else claims).to_bytes(4, "big") + kind + content


def patched(data: bytes, kind: bytes, offset: int, new: bytes, which: int = 0) -> bytes:
    """A file with bytes replaced in a box, counted from the end of the box's name.

    Raises:
        ValueError: there is no such box.
    """
    place = -1
    for _ in range(which + 1):
        place = data.index(kind, place + 1)
    place += len(kind) + offset
    return data[:place] + new + data[place + len(new) :]


def table_claims(data: bytes, kind: bytes, count: int) -> bytes:
    """A file one of whose sample tables claims another number of entries; its bytes stay as they are."""
    return patched(data, kind, 8 if kind == b"stsz" else 4, count.to_bytes(4, "big"))


def samples_of_one_byte(data: bytes, count: int) -> bytes:
    """A file that claims so many samples of one byte each, for which no table is needed."""
    counted = patched(data, b"stsz", 4, (1).to_bytes(4, "big") + count.to_bytes(4, "big"))
    counted = patched(counted, b"stts", 8, count.to_bytes(4, "big"))
    return patched(counted, b"stsc", 12, count.to_bytes(4, "big"))


def nested(kind: bytes, depth: int) -> bytes:
    """A file of boxes in boxes: each claims all that is left."""
    head = box(b"ftyp", b"isom\0\0\2\0isomiso2")
    total = 8 * depth
    return head + b"".join(box(kind, claims=total - 8 * level) for level in range(depth))


def compressed_header(num_bytes: int, claims: int) -> bytes:
    """A QuickTime file whose `moov` is zlib data: zeros that claim to become as much as is said."""
    packed = zlib.compress(bytes(num_bytes), 9)
    cmov = box(b"dcom", b"zlib") + box(b"cmvd", claims.to_bytes(4, "big") + packed)
    return box(b"ftyp", b"qt  \0\0\2\0qt  ") + box(b"moov", box(b"cmov", cmov)) + box(b"mdat", bytes(64))
