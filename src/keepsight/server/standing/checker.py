"""A thread that checks new captions, one after the other, behind those who watch; and those that somebody waits for."""

import logging
import threading
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import Future

from keepsight.errors import KeepsightError
from keepsight.journal import CaptionRecord, Journal
from keepsight.journal.standing_records import Progress, Step
from keepsight.server.events.bell import Bell
from keepsight.server.standing.edge import skip_to, step_of
from keepsight.server.standing.judging import Condition, Judge
from keepsight.server.standing.pacing import Pace
from keepsight.server.standing.requests import Requests

logger = logging.getLogger(__name__)

MOST_BEHIND = 1000
"""A question that is further behind a stream leaves out the oldest clips, and counts them."""

SHARE_OF_TIME = 0.2
"""Most that checks take of the time."""

TOGETHER = 8
"""Questions that a caption is checked for at once; somebody who asks the model something waits for as many at most."""

_LOOK_SECONDS = 5.0  # another program may watch into the same journal
_RETRY_SECONDS = 5.0


class Checker:
    """Checks what the journal says is due, so that nothing waits in memory and a restart goes on where it was.

    Args:
        journal: has captions, questions and positions.
        judge: judges captions.
        news: rings when a stream has something new.
        alerted: called with the stream of an alert that is on disk.
        most_behind: clips that may wait for a question in a stream.
        share_of_time: most that checks take of the time.
    """

    def __init__(
        self,
        journal: Journal,
        judge: Judge,
        news: Bell,
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

    @property
    def is_alive(self) -> bool:
        """Whether new captions are being checked."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def judge(self, condition: Condition, clip: CaptionRecord) -> "Future[bool]":
        """Have a caption judged for somebody who waits, in turn with what is due and in the same share of the time.

        Raises:
            ModelError: the checker has ended.
        """
        verdict = self._requests.add(condition, clip)
        self._news.ring()
        return verdict

    def stop(self) -> None:
        """End after the check in work; whoever still waits for a verdict is refused."""
        self._ending.set()
        self._requests.close()
        self._news.ring()
        if self._thread.is_alive():
            self._thread.join()

    def _work(self) -> None:
        while not self._ending.is_set():
            num_rings = self._news.num_rings
            try:
                if not (self._check_what_is_due() or self._judge_a_request()):
                    self._news.wait_in_thread(num_rings, _LOOK_SECONDS)
            except KeepsightError as error:
                logger.warning("standing questions wait: %s", error)
                self._ending.wait(_RETRY_SECONDS)
            except Exception:  # the thread's last resort
                logger.exception("standing questions wait")
                self._ending.wait(_RETRY_SECONDS)

    def _judge_a_request(self) -> bool:
        """Judge what somebody has waited for longest; whether anybody waited."""
        request = self._requests.take()
        if request is not None:
            with self._pace.piece():
                request.judge(self._judge)
        return request is not None

    def _check_what_is_due(self) -> bool:
        """One clip of each question and stream, so that none waits for another; whether there was any."""
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
        """Check a clip for questions that it is next for; all that comes of it is stored together."""
        if clip is None:
            steps = [skip_to(progress, progress.end_clip_index) for progress in alike]
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
            raise  # it may be better later, and the position stays
        except Exception:  # one caption must not keep the others from being checked, whatever the model makes of it
            logger.exception("a clip of stream %s could not be checked", clip.stream_id)
            return [skip_to(progress, clip.clip_index + 1) for progress in alike]
        return [step_of(progress, clip, verdict) for progress, verdict in zip(alike, verdicts, strict=True)]
