"""What happens in a toy world: things, where they are seen and when, and the events that change it.

Positions are fractions of the picture, `(0, 0)` top left, and name the middle of a thing. Times are seconds.
A `Story` is complete ground truth: pictures (`render.py`), captions (`captions.py`) and questions
(`questions.py`) are all derived from it.
"""

from bisect import bisect_right
from dataclasses import dataclass, field
from enum import StrEnum

from keepsight.errors import SettingError


@dataclass(frozen=True)
class Difficulty:
    """How hard a story is to follow.

    Attributes:
        num_things: things that take part in a story, besides boxes.
        max_visible: things on the screen at once, at most.
        event_weights: relative chances of 0, 1, 2 ... events in a beat: the pace.
        num_places: places that the camera visits.
        beats_per_scene: fewest and most beats before the camera goes to another place.
        gap_beats: fewest and most beats that a thing stays away before it returns: what memory has to bridge.
        clutter: pebbles and specks drawn into the background.
        beat_seconds: every event begins and ends within one beat; cuts fall between beats.
    """

    num_things: int = 6
    max_visible: int = 3
    event_weights: tuple[float, ...] = (0.12, 0.43, 0.35, 0.10)
    num_places: int = 3
    beats_per_scene: tuple[int, int] = (3, 6)
    gap_beats: tuple[int, int] = (1, 5)
    clutter: int = 4
    beat_seconds: float = 32.0

    def __post_init__(self) -> None:
        if not 1 <= self.max_visible <= 5:
            raise SettingError(f"max_visible is {self.max_visible}; allowed are 1 to 5")
        if not 1 <= self.num_things <= 20:
            raise SettingError(f"num_things is {self.num_things}; allowed are 1 to 20")
        if not 1 <= self.num_places <= 8:
            raise SettingError(f"num_places is {self.num_places}; allowed are 1 to 8")
        if self.beat_seconds < 24:
            raise SettingError(f"beat_seconds is {self.beat_seconds}; allowed are 24 and more: events need the room")
        for name, (low, high) in (("beats_per_scene", self.beats_per_scene), ("gap_beats", self.gap_beats)):
            if not 1 <= low <= high:
                raise SettingError(f"{name} is {(low, high)}; allowed are two numbers of 1 or more, smaller first")


DIFFICULTIES: dict[str, Difficulty] = {
    "easy": Difficulty(num_things=4, max_visible=2, event_weights=(0.2, 0.6, 0.2), num_places=2, clutter=0),
    "default": Difficulty(),
    "hard": Difficulty(
        num_things=9, max_visible=4, event_weights=(0.05, 0.25, 0.4, 0.3), num_places=4, gap_beats=(2, 12), clutter=10
    ),
    "crowded": Difficulty(num_things=10, max_visible=5),
    "cluttered": Difficulty(clutter=30),
    "fast": Difficulty(event_weights=(0.0, 0.1, 0.3, 0.6)),
}
"""The published settings of difficulty, by name. The last three are the default with one thing made harder."""


@dataclass(frozen=True)
class Thing:
    """Something that takes part in a story; a noun occurs once in a story."""

    noun: str
    colour: str | None = None

    @property
    def phrase(self) -> str:
        """`red car`, or `dog` for what comes in one colour only."""
        return f"{self.colour} {self.noun}" if self.colour else self.noun


class Kind(StrEnum):
    """What can happen to a thing (or a box) within a beat."""

    ARRIVE = "arrive"
    LEAVE = "leave"
    VISIT = "visit"
    MOVE_LEFT = "move left"
    MOVE_RIGHT = "move right"
    ENTER_BOX = "enter box"
    EXIT_BOX = "exit box"
    BOX_ARRIVES = "box arrives"
    BOX_LEAVES = "box leaves"
    HIDE = "hide"
    EMERGE = "emerge"


@dataclass(frozen=True)
class Event:
    """One change. `thing` is None for an empty box; for a box that leaves it is what lies inside."""

    kind: Kind
    thing: Thing | None
    start_seconds: float
    end_seconds: float
    place: str

    @property
    def middle_seconds(self) -> float:
        """The moment that decides to which clip the event belongs."""
        return (self.start_seconds + self.end_seconds) / 2


class Layer(StrEnum):
    """Where in depth something is drawn, far to near."""

    BEHIND_FIXTURE = "behind the fixture"
    FLOOR = "on the floor"
    IN_BOX = "in the box"


@dataclass(frozen=True)
class Appearance:
    """A stretch of time in which a picture is on the screen of its place, on a path of `(seconds, x, y)`."""

    picture: str
    thing: Thing | None
    place: str
    layer: Layer
    path: tuple[tuple[float, float, float], ...]

    @property
    def start_seconds(self) -> float:
        """First moment on the screen."""
        return self.path[0][0]

    @property
    def end_seconds(self) -> float:
        """First moment no longer on the screen."""
        return self.path[-1][0]

    def position(self, seconds: float) -> tuple[float, float]:
        """Where the picture is at a time within the appearance, on straight lines between the path's points."""
        after = min(max(bisect_right(self.path, seconds, key=lambda point: point[0]), 1), len(self.path) - 1)
        (t0, x0, y0), (t1, x1, y1) = self.path[after - 1], self.path[after]
        share = 0.0 if t1 == t0 else min(max((seconds - t0) / (t1 - t0), 0.0), 1.0)
        return x0 + share * (x1 - x0), y0 + share * (y1 - y0)

    def reading_order(self, seconds: float) -> tuple[int, float]:
        """Sorts what is shown row by row from the top, from left to right within a row, as a page is read."""
        x, y = self.position(seconds)
        return int(y * 3), x


@dataclass(frozen=True)
class Scene:
    """A stretch of time in which the camera shows one place."""

    start_seconds: float
    end_seconds: float
    place: str


@dataclass(frozen=True)
class Story:
    """Everything that happens in one toy video, and what is to be seen when."""

    seed: int
    difficulty: Difficulty
    duration_seconds: float
    scenes: tuple[Scene, ...]
    appearances: tuple[Appearance, ...]
    events: tuple[Event, ...]
    fixture_positions: dict[str, tuple[float, float]] = field(default_factory=dict)

    def place_at(self, seconds: float) -> str:
        """The place that the camera shows."""
        starts = [scene.start_seconds for scene in self.scenes]
        return self.scenes[max(bisect_right(starts, seconds) - 1, 0)].place

    def visible_at(self, seconds: float) -> list[Appearance]:
        """What is on the screen at a time, in no particular order."""
        place = self.place_at(seconds)
        return [
            shown
            for shown in self.appearances
            if shown.place == place and shown.start_seconds <= seconds < shown.end_seconds
        ]

    def seen_seconds(self, thing: Thing, start_seconds: float, end_seconds: float) -> float:
        """How long a thing was on the screen between two times."""
        total = 0.0
        for scene in self.scenes:
            for shown in self.appearances:
                if shown.thing == thing and shown.place == scene.place:
                    first = max(scene.start_seconds, shown.start_seconds, start_seconds)
                    last = min(scene.end_seconds, shown.end_seconds, end_seconds)
                    total += max(last - first, 0.0)
        return total
