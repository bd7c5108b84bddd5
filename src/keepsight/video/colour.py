"""Colour interpretation of a picture by its tags (ITU-T H.273), or by players' defaults."""

import struct
from dataclasses import dataclass
from enum import IntEnum

from av.sidedata.sidedata import Type
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace

from keepsight.errors import NotAVideoError
from keepsight.video.geometry import side_data

USUAL_PEAK_NITS = 1000.0
"""Peak luminance of an untagged HDR picture: most are graded on 1,000-nit displays."""

_UNREADABLE = {8: "YCgCo", 10: "BT.2020 constant luminance", 11: "SMPTE ST 2085", 14: "ICtCp", 15: "IPT-C2"}
_UNREADABLE |= {12: "chromaticity-derived", 13: "chromaticity-derived", 16: "YCgCo-Re", 17: "YCgCo-Ro"}
_HD_WIDTH, _SD_HEIGHT = 1280, 576


class Transfer(IntEnum):
    """Transfer functions that need conversion, by H.273 code."""

    AS_SHOWN = 1
    GAMMA_28 = 5
    LINEAR = 8
    PQ = 16
    HLG = 18


class Primaries(IntEnum):
    """Colour primaries, by H.273 code."""

    BT709 = 1
    BT470M = 4
    BT470BG = 5
    SMPTE170M = 6
    SMPTE240M = 7
    FILM = 8
    BT2020 = 9
    DCI_P3 = 11
    DISPLAY_P3 = 12
    EBU3213 = 22


@dataclass(frozen=True)
class Light:
    """How RGB values encode light.

    Attributes:
        transfer: transfer function.
        primaries: colour primaries.
        peak_nits: peak luminance, for HDR.
    """

    transfer: Transfer = Transfer.AS_SHOWN
    primaries: Primaries = Primaries.BT709
    peak_nits: float = USUAL_PEAK_NITS

    @property
    def is_as_shown(self) -> bool:
        """Whether values can be displayed unchanged, as for BT.709 and sRGB."""
        return self.transfer == Transfer.AS_SHOWN and self.primaries == Primaries.BT709


def matrix_of(picture: VideoFrame) -> Colorspace:
    """Matrix between RGB and the picture's luma and chroma, as named by swscale.

    Untagged pictures use BT.709 from 1280 pixels width or above 576 lines, else BT.601: the rule of mpv and most
    players.

    Raises:
        NotAVideoError: swscale lacks the matrix, and would show wrong colours.
    """
    tags = {
        1: Colorspace.ITU709,
        4: Colorspace.FCC,
        5: Colorspace.ITU601,
        6: Colorspace.ITU601,
        7: Colorspace.SMPTE240M,
        9: Colorspace.BT2020,
    }
    if picture.colorspace in _UNREADABLE:
        name = _UNREADABLE[picture.colorspace]
        raise NotAVideoError(f"the video's colour matrix is {name}, which is not supported; convert it to BT.709")
    is_hd = picture.width >= _HD_WIDTH or picture.height > _SD_HEIGHT
    return tags.get(picture.colorspace, Colorspace.ITU709 if is_hd else Colorspace.ITU601)


def light_of(picture: VideoFrame) -> Light:
    """Light encoding of a picture, by its tags."""
    is_known = picture.color_trc in Transfer.__members__.values()
    transfer = Transfer(picture.color_trc) if is_known else Transfer.AS_SHOWN
    peak_nits = _peak_nits(picture) if transfer == Transfer.PQ else USUAL_PEAK_NITS
    return Light(transfer, _primaries(picture, transfer), peak_nits)


def _primaries(picture: VideoFrame, transfer: Transfer) -> Primaries:
    if picture.color_primaries in Primaries.__members__.values():
        return Primaries(picture.color_primaries)
    is_hdr = transfer in (Transfer.PQ, Transfer.HLG)  # BT.2100 has no others
    return Primaries.BT2020 if is_hdr else Primaries.BT709


def _peak_nits(picture: VideoFrame) -> float:
    """Peak luminance by the video's content metadata, else by its mastering display."""
    found = side_data(picture)
    brightest = found.get(Type.CONTENT_LIGHT_LEVEL)
    if brightest is not None and brightest.buffer_size >= 4:
        (nits,) = struct.unpack_from("=I", bytes(brightest))  # AVContentLightMetadata.MaxCLL
        if nits:
            return float(nits)
    graded = found.get(Type.MASTERING_DISPLAY_METADATA)
    if graded is not None and graded.buffer_size >= 88:
        # AVMasteringDisplayMetadata.max_luminance after six primaries, white and the least, two int each.
        numerator, denominator, _, has_luminance = struct.unpack_from("=iiii", bytes(graded), 72)
        if has_luminance and numerator > 0 and denominator > 0:
            return float(numerator / denominator)
    return USUAL_PEAK_NITS
