"""Tone mapping of HDR and wide-gamut pictures for a BT.709 display.

Light is computed from values by the standard's curve: SMPTE ST 2084 for PQ; for HLG the inverse OETF and the OOTF of
ITU-R BT.2100 (table 5) for a display of 1,000 nits; a power of 2.4 for SDR (ITU-R BT.1886). Reference white is 203 nits
(ITU-R BT.2408). Highlights are rolled off by the EETF of ITU-R BT.2390 (section 5.4.1), on the largest of the three
colours, which preserves hue. Colours outside BT.709 are clipped. Display values come from the inverse of BT.1886.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from keepsight.video.colour import Light, Primaries, Transfer

WHITE_NITS = 203.0
"""Luminance of reference white."""

Floats = NDArray[np.float64]
Light32 = NDArray[np.float32]

_DISPLAY_GAMMA = 2.4
_HLG_PEAK_NITS = 1000.0
_HLG_GAMMA = 1.2
_BT2020_LUMINANCE = np.array([0.2627, 0.6780, 0.0593], np.float32)
_PIXELS_AT_A_TIME = 1 << 16  # fits into a core's cache
_NUM_STEPS = 1 << 14

_D65 = (0.3127, 0.3290)
_ILLUMINANT_C = (0.310, 0.316)
_DCI_WHITE = (0.314, 0.351)
_CHROMATICITIES = {  # x and y of red, green, blue and white: ITU-T H.273, table 2
    Primaries.BT709: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060), _D65),
    Primaries.BT470M: ((0.67, 0.33), (0.21, 0.71), (0.14, 0.08), _ILLUMINANT_C),
    Primaries.BT470BG: ((0.64, 0.33), (0.29, 0.60), (0.15, 0.06), _D65),
    Primaries.SMPTE170M: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65),
    Primaries.SMPTE240M: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65),
    Primaries.FILM: ((0.681, 0.319), (0.243, 0.692), (0.145, 0.049), _ILLUMINANT_C),
    Primaries.BT2020: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), _D65),
    Primaries.DCI_P3: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _DCI_WHITE),
    Primaries.DISPLAY_P3: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _D65),
    Primaries.EBU3213: ((0.630, 0.340), (0.295, 0.605), (0.155, 0.077), _D65),
}
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def as_displayed(rgb: NDArray[np.uint16], light: Light) -> NDArray[np.uint8]:
    """Picture as an SDR display shows it.

    Args:
        rgb: `[height, width, 3]`, 16-bit values, full range.
        light: how they encode light.

    Returns:
        uint8 RGB `[height, width, 3]`.
    """
    curve = _curve(light)
    pixels = rgb.reshape(-1, 3)
    shown = np.empty(pixels.shape, np.uint8)
    for start in range(0, len(pixels), _PIXELS_AT_A_TIME):
        stop = start + _PIXELS_AT_A_TIME
        shown[start:stop] = curve.apply(pixels[start:stop])
    return shown.reshape(rgb.shape)


@lru_cache(maxsize=8)
def _curve(light: Light) -> "_Curve":
    return _Curve(light)


@dataclass(frozen=True)
class _Curve:
    """Lookup tables for one light encoding; light 1.0 is reference white."""

    light: Light

    def apply(self, pixels: NDArray[np.uint16]) -> NDArray[np.uint8]:
        """Apply to values `[n, 3]`."""
        light: Light32 = self._to_light[pixels]
        if self.light.transfer == Transfer.HLG:
            luminance = np.maximum(light @ _BT2020_LUMINANCE, 1e-6)
            light *= (luminance ** np.float32(_HLG_GAMMA - 1))[:, None] * np.float32(_HLG_PEAK_NITS / WHITE_NITS)
        if self._peak > 1:
            brightest = np.minimum(np.max(light, axis=1) / np.float32(self._peak), 1)
            light *= self._roll_off[_step_of(brightest)][:, None]
        light = light @ self._to_bt709
        shown: NDArray[np.uint8] = _TO_DISPLAY[_step_of(np.clip(light, 0, 1))]
        return shown

    @cached_property
    def _peak(self) -> float:
        is_hdr = self.light.transfer in (Transfer.PQ, Transfer.HLG)
        return self.light.peak_nits / WHITE_NITS if is_hdr else 1.0

    @cached_property
    def _to_light(self) -> Light32:
        return _light_of_numbers(np.linspace(0, 1, 1 << 16), self.light.transfer).astype(np.float32)

    @cached_property
    def _to_bt709(self) -> Light32:
        matrix = np.linalg.inv(_to_xyz(Primaries.BT709)) @ _to_xyz(self.light.primaries)
        return matrix.T.astype(np.float32)

    @cached_property
    def _roll_off(self) -> Light32:
        """Gain of light, by steps of its brightest colour from 0 to peak."""
        nits = _STEPS**2 * self.light.peak_nits
        nits[0] = nits[1]
        return (tone_mapped_nits(nits, self.light.peak_nits) / nits).astype(np.float32)


# Steps of equal square roots are finer in the dark, like human vision.
_STEPS = np.linspace(0, 1, _NUM_STEPS)
_TO_DISPLAY = np.round(255 * (_STEPS**2) ** (1 / _DISPLAY_GAMMA)).astype(np.uint8)


def _step_of(light: Light32) -> NDArray[np.int32]:
    return (np.sqrt(light) * np.float32(_NUM_STEPS - 1) + np.float32(0.5)).astype(np.int32)


def _light_of_numbers(numbers: Floats, transfer: Transfer) -> Floats:
    if transfer == Transfer.PQ:
        return nits_of_pq(numbers) / WHITE_NITS
    if transfer == Transfer.HLG:
        return scene_light_of_hlg(numbers)
    if transfer == Transfer.LINEAR:
        return numbers
    return numbers ** (2.8 if transfer == Transfer.GAMMA_28 else _DISPLAY_GAMMA)


_M1, _M2 = 2610 / 16384, 2523 / 4096 * 128
_C1, _C2, _C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32


def nits_of_pq(numbers: Floats) -> Floats:
    """The EOTF of SMPTE ST 2084."""
    root = numbers ** (1 / _M2)
    return 10_000 * (np.maximum(root - _C1, 0) / (_C2 - _C3 * root)) ** (1 / _M1)


def pq_of_nits(nits: Floats) -> Floats:
    """Inverse of the EOTF."""
    root = (nits / 10_000) ** _M1
    return ((_C1 + _C2 * root) / (1 + _C3 * root)) ** _M2


def scene_light_of_hlg(numbers: Floats) -> Floats:
    """Inverse OETF of HLG, 0 to 1: ITU-R BT.2100, table 5."""
    a = 0.17883277
    b, c = 1 - 4 * a, 0.5 - a * np.log(4 * a)
    return np.where(numbers <= 0.5, numbers**2 / 3, (np.exp((numbers - c) / a) + b) / 12)


def tone_mapped_nits(nits: Floats, peak_nits: float) -> Floats:
    """EETF of ITU-R BT.2390, section 5.4.1, from a display of `peak_nits` to `WHITE_NITS`, black unchanged."""
    if peak_nits <= WHITE_NITS:
        return nits
    peak = pq_of_nits(np.array(peak_nits))
    top = float(pq_of_nits(np.array(WHITE_NITS)) / peak)
    knee = 1.5 * top - 0.5
    number = np.minimum(pq_of_nits(nits) / peak, 1)
    t = np.maximum(number - knee, 0) / (1 - knee)
    spline = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (-2 * t**3 + 3 * t**2) * top
    return nits_of_pq(np.where(number < knee, number, spline) * peak)


def _to_xyz(primaries: Primaries) -> Floats:
    """Matrix from light of the primaries to CIE XYZ for white D65 (SMPTE RP 177; Bradford for another white)."""
    *colours, white = (np.array([x / y, 1, (1 - x - y) / y]) for x, y in _CHROMATICITIES[primaries])
    columns = np.stack(colours, axis=1)
    matrix = columns * np.linalg.solve(columns, white)
    x, y = _D65
    cones = (_BRADFORD @ np.array([x / y, 1, (1 - x - y) / y])) / (_BRADFORD @ white)
    adapted: Floats = np.linalg.inv(_BRADFORD) @ np.diag(cones) @ _BRADFORD @ matrix
    return adapted
