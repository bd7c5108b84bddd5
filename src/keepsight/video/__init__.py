"""Frames with times, from files; sampling and clips."""

from keepsight.video.clips import DEFAULT_FRAMES_PER_CLIP, Clip, ClipBuffer, cut_clips, cut_clips_to_end
from keepsight.video.frames import Frame
from keepsight.video.live_clips import LiveClipBuffer
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
