"""A thread that checks new captions, one after the other, behind those who watch."""

import logging
import threading
from collections.abc import Callable

from keepsight.errors import KeepsightError
from keepsight.journal import Journal
from keepsight.journal.standing_records import Progress
from keepsight.server.events.bell import Bell
from keepsight.server.standing.edge import skip_to, step_of
from keepsight.server.standing.judging import Judge
from keepsight.server.standing.pacing import Pace

logger = logging.getLogger(__name__)

MOST_BEHIND = 1000
"""A question that is further behind a stream leaves out the oldest clips, and counts them."""

SHARE_OF_TIME = 0.2
"""Most that checks take of the time."""

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
        self._thread = threading.Thread(target=self._work, name="keepsight-standing", daemon=True)

    @property
    def is_alive(self) -> bool:
        """Whether new captions are being checked."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the check in work."""
        self._ending.set()
        self._news.ring()
        if self._thread.is_alive():
            self._thread.join()

    def _work(self) -> None:
        while not self._ending.is_set():
            num_rings = self._news.num_rings
            try:
                if not self._check_what_is_due():
                    self._news.wait_in_thread(num_rings, _LOOK_SECONDS)
            except KeepsightError as error:
                logger.warning("standing questions wait: %s", error)
                self._ending.wait(_RETRY_SECONDS)
            except Exception:  # the thread's last resort
                logger.exception("standing questions wait")
                self._ending.wait(_RETRY_SECONDS)

    def _check_what_is_due(self) -> bool:
        """One clip of each question and stream, so that none waits for another; whether there was any."""
        due = self._journal.standing.due()
        for progress in due:
            if self._ending.is_set():
                break
            self._check(progress)
        return bool(due)

    def _check(self, progress: Progress) -> None:
        first = max(progress.next_clip_index, progress.end_clip_index - self._most_behind)
        clips = self._journal.clips.captions_from(progress.stream_id, first, 1)
        if not clips:
            step = skip_to(progress, progress.end_clip_index)
        else:
            try:
                with self._pace.piece():
                    is_true = self._judge.says_yes(progress.question, clips[0])
                step = step_of(progress, clips[0], is_true)
            except KeepsightError:
                raise  # it may be better later, and the position stays
            except Exception:  # one caption must not keep the others from being checked, whatever the model makes of it
                logger.exception("a clip of stream %s could not be checked", progress.stream_id)
                step = skip_to(progress, clips[0].clip_index + 1)
        if self._journal.standing.advance(progress, step) is not None:
            self._alerted(progress.stream_id)
