"""A wall clock of a test's own."""

import threading
from dataclasses import dataclass, field

from keepsight.sources.supervision import Clocks


@dataclass
class Time:
    """A wall clock that moves when somebody waits."""

    seconds: float
    waits: list[float] = field(default_factory=list)

    def clocks(self) -> Clocks:
        return Clocks(wall=lambda: self.seconds, wait=self.wait)

    def wait(self, stop: threading.Event, seconds: float) -> bool:
        self.waits.append(seconds)
        self.seconds += seconds
        return stop.is_set()
