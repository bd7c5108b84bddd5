"""Clocks of a test's own."""

import threading
from dataclasses import dataclass, field

from keepsight.sources.supervision import Clocks


@dataclass
class Time:
    """A steady clock that moves when somebody waits, and a wall clock that goes along until it is set."""

    seconds: float
    waits: list[float] = field(default_factory=list)
    wall_ahead: float = 0.0

    def clocks(self) -> Clocks:
        return Clocks(wall=lambda: self.seconds + self.wall_ahead, steady=lambda: self.seconds, wait=self.wait)

    def wait(self, stop: threading.Event, seconds: float) -> bool:
        self.waits.append(seconds)
        self.seconds += seconds
        return stop.is_set()
