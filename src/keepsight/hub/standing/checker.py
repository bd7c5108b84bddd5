"""Checks new captions against standing questions: edge-triggered, within a share of the time."""

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager

from keepsight.errors import KeepsightError, SettingError, WorkCancelledError
from keepsight.hub.signals import Signal
from keepsight.hub.standing.judging import Condition, Judge
from keepsight.hub.standing.requests import Requests
from keepsight.journal import CaptionRecord, Journal
from keepsight.journal.standing_records import Progress, Step


def step_of(progress: Progress, clip: CaptionRecord, is_true: bool) -> Step:
    """Result of checking the next clip.

    Alerts only if the condition was false in the last checked clip (or none was checked), and the clip starts at least
    `cooldown_seconds` after the last alert's clip. A condition that turns true during the cooldown is not reported
    later, unless it turns true again.

    Args:
        progress: state of checking.
        clip: the next available clip; removed clips before it count as skipped.
        is_true: the verdict on it.
    """
    has_become_so = is_true and not progress.was_true
    last = progress.last_alert_seconds
    is_cool = last is None or clip.span.start_seconds - last >= progress.question.cooldown_seconds
    return Step(
        next_clip_index=clip.clip_index + 1,
        is_true=is_true,
        num_checked=1,
        num_skipped=clip.clip_index - progress.next_clip_index,
        alert=clip if has_become_so and is_cool else None,
    )


def pass_still(progress: Progress, clip: CaptionRecord) -> Step:
    """Pass a still clip: the last verdict stays, and nothing is asked. Removed clips before it count as skipped."""
    return Step(clip.clip_index + 1, progress.was_true, num_skipped=clip.clip_index - progress.next_clip_index)


def skip_to(progress: Progress, clip_index: int) -> Step:
    """Skip to a clip without checking those before it; the last verdict stays."""
    return Step(clip_index, progress.was_true, num_skipped=clip_index - progress.next_clip_index)


class Pace:
    """Work limited to a share of the time by resting after each piece.

    A model shared by many streams lets questions overtake captions; without rests, endless checks would take most of
    it.

    Args:
        share: of the time, above 0 and at most 1.
        rest: waits for some seconds, less on shutdown.
        clock: monotonic seconds.
    """

    def __init__(
        self, share: float, rest: Callable[[float], object], clock: Callable[[], float] = time.monotonic
    ) -> None:
        if not 0 < share <= 1:
            raise SettingError(f"share must be above 0 and at most 1, got {share}")
        self._share = share
        self._rest = rest
        self._clock = clock

    @contextmanager
    def piece(self) -> Iterator[None]:
        """A piece of work, followed by a rest."""
        began = self._clock()
        try:
            yield
        finally:
            seconds = (self._clock() - began) * (1 / self._share - 1)
            if seconds > 0:
                self._rest(seconds)


logger = logging.getLogger(__name__)

MOST_BEHIND = 1000
"""Backlog of clips per question and stream; beyond it the oldest are skipped and counted."""

SHARE_OF_TIME = 0.2
"""Maximum share of time for checks."""

TOGETHER = 8
"""Questions checked per caption in one model call, which bounds how long a user's question waits."""

_LOOK_SECONDS = 5.0  # another program may watch into the same journal
_RETRY_SECONDS = 5.0


class Checker:
    """Checks what the journal lists as due, so nothing is queued in memory and a restart resumes.

    Args:
        journal: holds captions, questions and positions.
        judge: judges captions.
        news: notified on new clips.
        alerted: called with the stream of a stored alert.
        most_behind: backlog limit per question and stream.
        share_of_time: maximum share of time for checks.
    """

    def __init__(
        self,
        journal: Journal,
        judge: Judge,
        news: Signal,
        alerted: Callable[[str], object],
        *,
        most_behind: int = MOST_BEHIND,
        share_of_time: float = SHARE_OF_TIME,
    ) -> None:
        self._journal = journal
        self._judge = judge
        self._news = news
        self._alerted = alerted
        self._most_behind = most_behind
        self._ending = threading.Event()
        self._pace = Pace(share_of_time, self._ending.wait)
        self._requests = Requests()
        self._thread = threading.Thread(target=self._work, name="keepsight-standing", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def judge(self, condition: Condition, clip: CaptionRecord) -> "Future[bool]":
        """Queue a caption for a waiting caller, in turn with due checks and within the same share of time.

        Raises:
            ModelError: the checker was stopped.
        """
        verdict = self._requests.add(condition, clip)
        self._news.notify()
        return verdict

    def stop(self) -> None:
        """Stop after the current check; waiting callers get an error."""
        self._ending.set()
        self._requests.close()
        self._news.notify()
        if self._thread.is_alive():
            self._thread.join()

    def _work(self) -> None:
        while not self._ending.is_set():
            num_notified = self._news.num_notified
            try:
                if not (self._check_what_is_due() or self._judge_a_request()):
                    self._news.wait_in_thread(num_notified, _LOOK_SECONDS)
            except WorkCancelledError:  # the server is shutting down
                self._ending.wait()
            except KeepsightError as error:
                logger.warning("standing questions paused: %s", error)
                self._ending.wait(_RETRY_SECONDS)
            except Exception:  # last resort of the thread
                logger.exception("standing questions paused")
                self._ending.wait(_RETRY_SECONDS)

    def _judge_a_request(self) -> bool:
        """Judge the oldest request; return whether there was one."""
        request = self._requests.take()
        if request is not None:
            with self._pace.piece():
                request.judge(self._judge)
        return request is not None

    def _check_what_is_due(self) -> bool:
        """Check one clip per question and stream, so that none starves; return whether any was due."""
        due: dict[tuple[str, int], list[Progress]] = defaultdict(list)
        for progress in self._journal.standing.due():
            first = max(progress.next_clip_index, progress.end_clip_index - self._most_behind)
            due[progress.stream_id, first].append(progress)
        for (stream_id, first), alike in due.items():
            if self._ending.is_set():
                break
            clips = self._journal.clips.captions_from(stream_id, first, 1)
            for start in range(0, len(alike), TOGETHER):
                with self._pace.piece():
                    self._check(alike[start : start + TOGETHER], clips[0] if clips else None)
                self._judge_a_request()
        return bool(due)

    def _check(self, alike: list[Progress], clip: CaptionRecord | None) -> None:
        """Check a clip for the questions that need it next; store all results together."""
        if clip is None:
            steps = [skip_to(progress, progress.end_clip_index) for progress in alike]
        elif clip.is_still:
            steps = [pass_still(progress, clip) for progress in alike]
        else:
            steps = self._steps(alike, clip)
        with self._journal.transaction():
            alert_ids = [
                self._journal.standing.advance(progress, step) for progress, step in zip(alike, steps, strict=True)
            ]
        if any(alert_id is not None for alert_id in alert_ids):
            self._alerted(alike[0].stream_id)

    def _steps(self, alike: list[Progress], clip: CaptionRecord) -> list[Step]:
        conditions = [Condition(progress.question.question, progress.question.method) for progress in alike]
        try:
            verdicts = self._judge.say_yes(conditions, clip)
        except KeepsightError:
            raise  # may succeed later: keep the position
        except Exception:  # one caption that breaks the model must not block the others
            logger.exception("could not check a clip of stream %s", clip.stream_id)
            return [skip_to(progress, clip.clip_index + 1) for progress in alike]
        return [step_of(progress, clip, verdict) for progress, verdict in zip(alike, verdicts, strict=True)]
