"""Frames with times, from files; sampling and clips. FFmpeg is loaded on first use of `VideoFile` or `open_video`."""

from importlib import import_module
from typing import TYPE_CHECKING

from keepsight.video.clips import DEFAULT_FRAMES_PER_CLIP, Clip, ClipBuffer, cut_clips, cut_clips_to_end
from keepsight.video.frames import Frame
from keepsight.video.live_clips import LiveClipBuffer

if TYPE_CHECKING:
    from keepsight.video.source import VideoFile, VideoInfo, open_video

__all__ = [
    "DEFAULT_FRAMES_PER_CLIP",
    "Clip",
    "ClipBuffer",
    "Frame",
    "LiveClipBuffer",
    "VideoFile",
    "VideoInfo",
    "cut_clips",
    "cut_clips_to_end",
    "open_video",
]

_OF_SOURCES = frozenset({"VideoFile", "VideoInfo", "open_video"})


def __getattr__(name: str) -> object:
    if name not in _OF_SOURCES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module("keepsight.video.source"), name)
    globals()[name] = value
    return value
