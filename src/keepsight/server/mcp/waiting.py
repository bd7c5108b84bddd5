"""`watch_for`: wait until something appears."""

import time

import anyio
from anyio import to_thread
from mcp_types import CallToolResult

from keepsight.journal import CaptionRecord, StreamRecord
from keepsight.server.mcp.arguments import WaitArguments
from keepsight.server.mcp.criteria import BecomesSo, Criterion, HasWords
from keepsight.server.mcp.tools import said, the_stream
from keepsight.server.mcp.views import FoundClip, WaitEnded
from keepsight.server.mcp.watched import Watched

_CLIPS_AT_ONCE = 100
_TIME_IS_OVER = "timeout"


async def watch_for(watched: Watched, asked: WaitArguments) -> CallToolResult:
    """Wait until something appears in a stream, the timeout expires, or the stream ends.

    With words: until a caption has them all. With a question: until the model's verdict turns from no to yes. A
    condition that is already true must turn false first; is_so has the current verdict, and `ask` explains. Call again
    with last_clip_index as after_clip_index to wait for the next occurrence.
    """
    stream = await to_thread.run_sync(the_stream, watched, asked.stream)
    with watched.place(is_judged=asked.question is not None):
        wait = _Wait(watched, stream, _criterion(watched, stream, asked))
        return said(await wait.until_seen(asked.after_clip_index, asked.timeout_seconds))


def _criterion(watched: Watched, stream: StreamRecord, asked: WaitArguments) -> Criterion:
    return HasWords(asked.words or "") if asked.question is None else BecomesSo(watched, stream, asked.question)


class _Wait:
    """Waits for a clip of a stream.

    Args:
        watched: provides the stream.
        stream: stream to wait on.
        criterion: what to wait for.
    """

    def __init__(self, watched: Watched, stream: StreamRecord, criterion: Criterion) -> None:
        self._watched = watched
        self._stream = stream
        self._criterion = criterion
        self._last_index = -1
        self._num_left_out = 0
        self._ends = 0.0

    async def until_seen(self, after_clip_index: int | None, timeout_seconds: float) -> WaitEnded:
        """Wait and return the result.

        Args:
            after_clip_index: check clips after this one; None for new clips only.
            timeout_seconds: timeout, judging included.

        Raises:
            KeepsightError: reading the journal or judging a clip failed.
        """
        self._last_index = await self._newest_index() if after_clip_index is None else after_clip_index
        self._ends = time.monotonic() + timeout_seconds
        try:
            return await self._until_seen()
        except TimeoutError:
            return self._ended(_TIME_IS_OVER)

    async def _until_seen(self) -> WaitEnded:
        before = await self._clip_at(self._last_index)
        with anyio.fail_after(self._seconds_left):
            await self._criterion.begin_after(before)
        while True:
            news = self._watched.news(self._stream.id)
            num_notified = news.num_notified
            # Read the state first, so a clip stored before the end is not missed.
            is_left = await to_thread.run_sync(self._is_left)
            if (clip := await self._first_that_fits()) is not None:
                return self._ended("found", clip)
            if reason := self._why_no_longer(is_left=is_left):
                return self._ended(reason)
            await news.wait(num_notified, self._seconds_left)

    @property
    def _seconds_left(self) -> float:
        return max(0.0, self._ends - time.monotonic())

    async def _first_that_fits(self) -> CaptionRecord | None:
        """First available clip that ends the waiting; earlier ones are marked as checked."""
        while clips := await to_thread.run_sync(self._next_clips):
            for clip in clips:
                if self._watched.is_closing:
                    return None
                if clip.is_still:  # whatever was so still is
                    self._last_index = clip.clip_index
                    continue
                with anyio.fail_after(self._seconds_left):
                    is_it = await self._criterion.ends_with(clip)
                self._last_index = clip.clip_index
                if is_it:
                    return clip
        return None

    def _why_no_longer(self, *, is_left: bool) -> str:
        if self._watched.is_closing:
            return "the server is shutting down"
        if is_left:
            return "the stream is not active; resume it to get new clips"
        return "" if self._seconds_left else _TIME_IS_OVER

    def _next_clips(self) -> list[CaptionRecord]:
        journal, most = self._watched.journal, self._criterion.most_at_once
        first = self._last_index + 1
        if most is not None:
            oldest = journal.streams.position(self._stream.id).next_clip_index - most
            self._num_left_out += max(0, oldest - first)
            first = max(first, oldest)
        return journal.clips.captions_from(self._stream.id, first, _CLIPS_AT_ONCE)

    async def _clip_at(self, index: int) -> CaptionRecord | None:
        return await to_thread.run_sync(self._watched.journal.clips.captioned_by, self._stream.id, index)

    async def _newest_index(self) -> int:
        position = await to_thread.run_sync(self._watched.journal.streams.position, self._stream.id)
        return position.next_clip_index - 1

    def _is_left(self) -> bool:
        return self._watched.journal.streams.get(self._stream.id).end_reason is not None

    def _ended(self, reason: str, clip: CaptionRecord | None = None) -> WaitEnded:
        return WaitEnded(
            found=clip is not None,
            clip=None if clip is None else FoundClip.model_validate(clip),
            is_so=self._criterion.is_so,
            last_clip_index=self._last_index,
            num_clips_left_out=self._num_left_out,
            reason=reason,
        )
