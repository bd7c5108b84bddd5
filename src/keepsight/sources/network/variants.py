"""Which of several codings of a stream to watch."""

from collections.abc import Sequence

from keepsight.errors import NotAVideoError
from keepsight.sources.network.playlists import Variant
from keepsight.sources.network.urls import SourceUrl

WANTED_HEIGHT = 720
"""Pixels down. Models scale pictures to a few hundred pixels, so more costs bandwidth and decoding and shows nothing
more; with much less, small things are gone before the model sees them."""

WANTED_BANDWIDTH = 3_000_000
"""Bits a second that 720 lines usually take, where a playlist gives no sizes."""

_VIDEO_CODECS = ("avc", "hvc", "hev", "dvh", "av01", "vp0", "vp8", "vp9", "vvc", "mp4v")


def choose_variant(variants: Sequence[Variant], url: SourceUrl) -> Variant:
    """The variant whose height is nearest to `WANTED_HEIGHT`; of several, the one with the lowest bandwidth.

    Raises:
        NotAVideoError: there is none.
    """
    with_video = [one for one in variants if not one.codecs or any(name in one.codecs for name in _VIDEO_CODECS)]
    candidates = with_video or list(variants)
    if not candidates:
        raise NotAVideoError(f"{url} names no variant of its stream")
    sized = [one for one in candidates if one.height is not None]
    if sized:
        return min(sized, key=lambda one: (abs((one.height or 0) - WANTED_HEIGHT), one.bandwidth))
    return min(candidates, key=lambda one: abs(one.bandwidth - WANTED_BANDWIDTH))
