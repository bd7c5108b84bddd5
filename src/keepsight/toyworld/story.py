"""Stories of the toy world: things, their visibility over time, and events.

Positions are fractions of the frame, `(0, 0)` top left, of a thing's centre. Times are seconds. A `Story` is complete
ground truth: frames (`render.py`), captions (`captions.py`) and questions (`questions.py`) are derived from it.
"""

from bisect import bisect_right
from dataclasses import dataclass, field
from enum import StrEnum

from keepsight.errors import SettingError
from keepsight.toyworld.looks import USUAL, USUAL_LOOKS, Look, Looks


@dataclass(frozen=True)
class Difficulty:
    """Difficulty of a story.

    Attributes:
        num_things: things in a story, besides boxes.
        max_visible: maximum things on screen.
        event_weights: relative frequencies of 0, 1, 2 ... events per beat.
        num_places: places that the camera visits.
        beats_per_scene: minimum and maximum beats before the camera changes place.
        gap_beats: minimum and maximum beats that a thing is away: the gap for memory.
        clutter: pebbles and specks drawn into the background.
        beat_seconds: length of a beat; events stay within one, cuts fall between beats.
        travel_seconds: time in which a thing crosses the picture.
        last_debut_beat: things come for the first time from a random beat up to this one on; with 0 from the start.
        memory_clips: how far back captions reach: what is older counts as new; None for no limit.
        looks: how things and places are drawn.
    """

    num_things: int = 6
    max_visible: int = 3
    event_weights: tuple[float, ...] = (0.12, 0.43, 0.35, 0.10)
    num_places: int = 3
    beats_per_scene: tuple[int, int] = (3, 6)
    gap_beats: tuple[int, int] = (1, 5)
    clutter: int = 4
    beat_seconds: float = 32.0
    travel_seconds: float = 4.0
    last_debut_beat: int = 0
    memory_clips: int | None = 16
    looks: Looks = USUAL_LOOKS

    def __post_init__(self) -> None:
        if not 1 <= self.max_visible <= 5:
            raise SettingError(f"max_visible must be 1 to 5, got {self.max_visible}")
        if not 1 <= self.num_things <= 20:
            raise SettingError(f"num_things must be 1 to 20, got {self.num_things}")
        if not 1 <= self.num_places <= 8:
            raise SettingError(f"num_places must be 1 to 8, got {self.num_places}")
        if self.beat_seconds < 24:
            raise SettingError(f"beat_seconds must be at least 24 to fit the events, got {self.beat_seconds}")
        if not 1 <= self.travel_seconds <= 4:
            raise SettingError(f"travel_seconds must be 1 to 4 to fit the events, got {self.travel_seconds}")
        if self.last_debut_beat < 0 or (self.memory_clips is not None and self.memory_clips < 0):
            raise SettingError("last_debut_beat and memory_clips must be at least 0")
        for name, (low, high) in (("beats_per_scene", self.beats_per_scene), ("gap_beats", self.gap_beats)):
            if not 1 <= low <= high:
                raise SettingError(f"{name} must be two numbers of 1 or more, smaller first, got {(low, high)}")


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
"""Difficulties by name that the bundled models were trained on. The last three make one aspect of the default harder.

`worlds.EVALUATION_WORLDS` has those for evaluation only."""


@dataclass(frozen=True)
class Thing:
    """A thing in a story; nouns are unique within a story."""

    noun: str
    colour: str | None = None

    @property
    def phrase(self) -> str:
        """`red car`, or `dog` for things of one colour only."""
        return f"{self.colour} {self.noun}" if self.colour else self.noun


class Kind(StrEnum):
    """Events of a thing or box within a beat."""

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
    """An event. `thing` is None for an empty box; for a box that leaves it is its content."""

    kind: Kind
    thing: Thing | None
    start_seconds: float
    end_seconds: float
    place: str

    @property
    def middle_seconds(self) -> float:
        """Time that assigns the event to a clip."""
        return (self.start_seconds + self.end_seconds) / 2


class Layer(StrEnum):
    """Depth of something drawn, back to front."""

    BEHIND_FIXTURE = "behind the fixture"
    FLOOR = "on the floor"
    IN_BOX = "in the box"


@dataclass(frozen=True)
class Appearance:
    """Time on screen of an image at a place, on a path of `(seconds, x, y)`."""

    picture: str
    thing: Thing | None
    place: str
    layer: Layer
    path: tuple[tuple[float, float, float], ...]

    @property
    def start_seconds(self) -> float:
        """First moment on screen."""
        return self.path[0][0]

    @property
    def end_seconds(self) -> float:
        """First moment no longer on screen."""
        return self.path[-1][0]

    def position(self, seconds: float) -> tuple[float, float]:
        """Position at a time within the appearance, linear between the path's points."""
        after = min(max(bisect_right(self.path, seconds, key=lambda point: point[0]), 1), len(self.path) - 1)
        (t0, x0, y0), (t1, x1, y1) = self.path[after - 1], self.path[after]
        share = 0.0 if t1 == t0 else min(max((seconds - t0) / (t1 - t0), 0.0), 1.0)
        return x0 + share * (x1 - x0), y0 + share * (y1 - y0)

    def reading_order(self, seconds: float) -> tuple[int, float]:
        """Sort key: rows from the top, left to right within a row."""
        x, y = self.position(seconds)
        return int(y * 3), x


@dataclass(frozen=True)
class Scene:
    """Time in which the camera shows one place."""

    start_seconds: float
    end_seconds: float
    place: str


@dataclass(frozen=True)
class Story:
    """All events of a toy video, and what is visible when."""

    seed: int
    difficulty: Difficulty
    duration_seconds: float
    scenes: tuple[Scene, ...]
    appearances: tuple[Appearance, ...]
    events: tuple[Event, ...]
    fixture_positions: dict[str, tuple[float, float]] = field(default_factory=dict)

    def place_at(self, seconds: float) -> str:
        """Place that the camera shows."""
        starts = [scene.start_seconds for scene in self.scenes]
        return self.scenes[max(bisect_right(starts, seconds) - 1, 0)].place

    def visible_at(self, seconds: float) -> list[Appearance]:
        """What is on screen at a time, unordered."""
        place = self.place_at(seconds)
        return [
            shown
            for shown in self.appearances
            if shown.place == place and shown.start_seconds <= seconds < shown.end_seconds
        ]

    def look_of(self, shown: Appearance) -> Look:
        """How something is drawn; boxes always look the same."""
        if shown.thing is None or self.difficulty.looks.are_usual:
            return USUAL
        coming = sum(
            event.thing == shown.thing
            and event.kind in (Kind.ARRIVE, Kind.VISIT)
            and event.start_seconds <= shown.start_seconds
            for event in self.events
        )
        return self.difficulty.looks.draw(self.seed, shown.thing.phrase, coming)

    def seen_seconds(self, thing: Thing, start_seconds: float, end_seconds: float) -> float:
        """Time that a thing was on screen between two times."""
        total = 0.0
        for scene in self.scenes:
            for shown in self.appearances:
                if shown.thing == thing and shown.place == scene.place:
                    first = max(scene.start_seconds, shown.start_seconds, start_seconds)
                    last = min(scene.end_seconds, shown.end_seconds, end_seconds)
                    total += max(last - first, 0.0)
        return total
