"""Choice among the variants of a stream."""

from collections.abc import Sequence

from keepsight.errors import NotAVideoError
from keepsight.sources.network.playlists import Variant
from keepsight.sources.network.urls import SourceUrl

WANTED_HEIGHT = 720
"""Preferred height in pixels.

Models scale frames to a few hundred pixels, so more only costs bandwidth and decoding; much less loses small objects.
"""

WANTED_BANDWIDTH = 3_000_000
"""Typical bits per second of 720 lines, for playlists without sizes."""

_VIDEO_CODECS = ("avc", "hvc", "hev", "dvh", "av01", "vp0", "vp8", "vp9", "vvc", "mp4v")


def choose_variant(variants: Sequence[Variant], url: SourceUrl) -> Variant:
    """Variant with height nearest to `WANTED_HEIGHT`; ties go to the lowest bandwidth.

    Raises:
        NotAVideoError: there is none.
    """
    with_video = [one for one in variants if not one.codecs or any(name in one.codecs for name in _VIDEO_CODECS)]
    candidates = with_video or list(variants)
    if not candidates:
        raise NotAVideoError(f"{url} has no variant streams")
    sized = [one for one in candidates if one.height is not None]
    if sized:
        return min(sized, key=lambda one: (abs((one.height or 0) - WANTED_HEIGHT), one.bandwidth))
    return min(candidates, key=lambda one: abs(one.bandwidth - WANTED_BANDWIDTH))
