"""Visual tokens per frame as a choice, for models that keep a frame's aspect ratio."""

from collections.abc import Mapping
from math import isqrt
from typing import Any

from keepsight.errors import SettingError

MAX_TOKENS_PER_STEP = 196
"""As LLaVA-OneVision has per frame: a checkpoint's own limit is meant for single images, and is 16,384."""

ASKED = "tokens_per_frame"
"""Key of the user's choice, beside a checkpoint's own settings."""


def tokens_per_step(settings: Mapping[str, Any], token_pixels: int, frames_per_step: int = 1) -> int:
    """Tokens of a large square frame or step: as asked for, else `MAX_TOKENS_PER_STEP`, or the checkpoint's own limit
    if lower; a square number.

    Args:
        settings: of the checkpoint's preprocessor, with the user's choice under `ASKED`, if any.
        token_pixels: side of one token's area.
        frames_per_step: frames that share a step of tokens.

    Raises:
        SettingError: more are asked for than the checkpoint takes.
    """
    most_pixels = settings.get("max_pixels") or (settings.get("size") or {}).get("longest_edge")
    asked = settings.get(ASKED)
    wanted = MAX_TOKENS_PER_STEP if asked is None else int(asked) * frames_per_step
    own = wanted if most_pixels is None else max(1, int(most_pixels) // token_pixels**2)
    if asked is not None and wanted > own:
        raise SettingError(f"must be at most {own // frames_per_step} for this checkpoint, got {asked}", ASKED)
    return isqrt(min(own, wanted)) ** 2
