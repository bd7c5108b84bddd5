"""Frames and captions of toy-world stories, as input that looks like what a camera gives."""

import numpy as np

from keepsight.settings import Settings
from keepsight.toyworld.captions import clip_spans, true_captions
from keepsight.toyworld.render import render_frame
from keepsight.toyworld.simulate import make_story
from keepsight.toyworld.story import DIFFICULTIES
from keepsight.video import Frame

_DIFFICULTY = DIFFICULTIES["default"]


def toy_captions(count: int, seed: int = 0) -> list[str]:
    """What is true of the first clips of a story, one beat of the story each."""
    story = make_story(seed, count, _DIFFICULTY)
    return [
        caption.text for caption in true_captions(story, clip_spans(story.duration_seconds, _DIFFICULTY.beat_seconds))
    ]


def toy_frames(settings: Settings, *, first_clip: int, num_clips: int, seed: int = 0) -> list[Frame]:
    """Decoded frames of a story, at the times that they have in a stream with so many clips before them."""
    num_frames, step = num_clips * settings.frames_per_clip, 1 / settings.sample_fps
    story = make_story(seed, 1 + int(num_frames * step / _DIFFICULTY.beat_seconds), _DIFFICULTY)
    first = first_clip * settings.frames_per_clip
    return [Frame(render_frame(story, number * step), (first + number) * step) for number in range(num_frames)]


def enlarged(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A picture as large as a camera's, each pixel repeated.

    Args:
        image: `[height, width, 3]`.
        size: width and height wanted; (0, 0) leaves it as it is.
    """
    width, height = size
    if not width:
        return image
    rows = np.arange(height) * image.shape[0] // height
    columns = np.arange(width) * image.shape[1] // width
    return image[rows[:, None], columns]
