"""Random access points: pictures from which decoding can start without earlier data.

A key-frame flag is not enough: with open groups of pictures or gradual refresh, later pictures still refer to earlier
ones. In H.264 (ITU-T H.264, section 7.4.1.2.4) and HEVC (ITU-T H.265, section 3) an IDR picture ends all references.
"""

from collections.abc import Iterator

_H264_IDR = frozenset({5})
_H264_SLICES = frozenset({1, 2, 5})
_HEVC_IDR = frozenset({19, 20})
_HEVC_SLICES = frozenset(range(32))


def starts_afresh(codec: str, extradata: bytes | None, packet: bytes) -> bool:
    """Whether no picture from this packet on refers to an earlier one.

    Args:
        codec: `h264` or `hevc`; any other codec gives False.
        extradata: the stream's parameter sets; its first byte is 1 if packets use lengths instead of start codes.
        packet: one coded picture.
    """
    if codec not in ("h264", "hevc"):
        return False
    slices, idr = (_H264_SLICES, _H264_IDR) if codec == "h264" else (_HEVC_SLICES, _HEVC_IDR)
    for first_byte in _unit_headers(codec, extradata, packet):
        unit_type = first_byte & 31 if codec == "h264" else first_byte >> 1 & 63
        if unit_type in slices:
            return unit_type in idr
    return False


def _unit_headers(codec: str, extradata: bytes | None, packet: bytes) -> Iterator[int]:
    """First byte of each NAL unit."""
    if extradata and extradata[0] == 1:
        length_place = 4 if codec == "h264" else 21  # ISO/IEC 14496-15, lengthSizeMinusOne
        if len(extradata) <= length_place:
            return
        yield from _with_lengths(packet, (extradata[length_place] & 3) + 1)
    else:
        yield from _with_start_codes(packet)


def _with_lengths(packet: bytes, length_bytes: int) -> Iterator[int]:
    place = 0
    while place + length_bytes < len(packet):
        length = int.from_bytes(packet[place : place + length_bytes], "big")
        place += length_bytes
        yield packet[place]
        place += length


def _with_start_codes(packet: bytes) -> Iterator[int]:
    place = packet.find(b"\0\0\1")
    while 0 <= place < len(packet) - 3:
        yield packet[place + 3]
        place = packet.find(b"\0\0\1", place + 3)
