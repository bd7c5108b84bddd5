"""`watch_for`: wait until something is seen."""

import re
import time

from anyio import to_thread
from mcp_types import CallToolResult

from keepsight.journal import CaptionRecord, StreamRecord
from keepsight.server.mcp.tools import said, the_stream
from keepsight.server.mcp.views import WaitArguments, WaitEnded, found_clip
from keepsight.server.mcp.watched import Watched

_CLIPS_AT_ONCE = 100


async def watch_for(watched: Watched, asked: WaitArguments) -> CallToolResult:
    """Wait until a caption of a stream has all of some words, or the time is over, or the stream has ended."""
    stream = await to_thread.run_sync(the_stream, watched, asked.stream)
    watched.begin_to_wait()
    try:
        return said(await _wait(watched, stream, asked))
    finally:
        watched.end_waiting()


async def _wait(watched: Watched, stream: StreamRecord, asked: WaitArguments) -> WaitEnded:
    ends, news = time.monotonic() + asked.timeout_seconds, watched.news(stream.id)
    last_index = asked.after_clip_index
    if last_index is None:
        last_index = await to_thread.run_sync(_newest_index, watched, stream)
    while True:
        num_rings = news.num_rings
        # The state first: a clip that was stored before the end is then not missed.
        is_left = await to_thread.run_sync(_is_left, watched, stream.id)
        while clips := await to_thread.run_sync(_clips_after, watched, stream, last_index):
            last_index = clips[-1].clip_index
            if (clip := _first_with(clips, asked.words)) is not None:
                return WaitEnded(
                    found=True, clip=found_clip(clip), last_clip_index=clip.clip_index, reason="it was seen"
                )
        reason = _why_no_longer(watched, is_left=is_left, is_late=time.monotonic() >= ends)
        if reason:
            return WaitEnded(found=False, clip=None, last_clip_index=last_index, reason=reason)
        await news.wait(num_rings, max(0.0, ends - time.monotonic()))


def _why_no_longer(watched: Watched, *, is_left: bool, is_late: bool) -> str:
    if watched.is_closing:
        return "the server is about to end"
    if is_left:
        return "nobody is watching the stream: nothing more will come until somebody does"
    return "the time is over" if is_late else ""


def _newest_index(watched: Watched, stream: StreamRecord) -> int:
    return watched.journal.streams.position(stream.id).next_clip_index - 1


def _is_left(watched: Watched, stream_id: str) -> bool:
    return watched.journal.streams.get(stream_id).end_reason is not None


def _clips_after(watched: Watched, stream: StreamRecord, last_index: int) -> list[CaptionRecord]:
    return watched.journal.clips.captions_from(stream.id, last_index + 1, _CLIPS_AT_ONCE)


def _first_with(clips: list[CaptionRecord], words: str) -> CaptionRecord | None:
    """The first clip in whose caption each of the words begins a word."""
    wanted = re.findall(r"\w+", words.casefold())
    for clip in clips:
        there = re.findall(r"\w+", clip.caption.casefold())
        if wanted and all(any(word.startswith(start) for word in there) for start in wanted):
            return clip
    return None
