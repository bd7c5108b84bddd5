"""Generates stories from a seed: things that come, go, hide and are carried away, beat by beat."""

import random

from keepsight.toyworld.stage import Paths, PlaceState, Point
from keepsight.toyworld.story import Difficulty, Event, Kind, Layer, Scene, Story, Thing
from keepsight.toyworld.vocabulary import COLOURS_OF, NOUNS, PLACES, TOO_BIG_FOR_THE_BOX

COLUMNS = (0.18, 0.5, 0.82)
ROWS = (0.2, 0.5, 0.8)
TRAVEL_SECONDS = 4.0
PAUSE_SECONDS = 7.0
"""How long a thing is half visible in a box or behind a fixture: three frames at 0.5 fps."""
VISIT_SECONDS = 9.0
EVENT_WEIGHTS = {
    Kind.ARRIVE: 5.0,
    Kind.LEAVE: 2.5,
    Kind.VISIT: 1.2,
    Kind.MOVE_LEFT: 0.8,
    Kind.MOVE_RIGHT: 0.8,
    Kind.ENTER_BOX: 8.0,
    Kind.EXIT_BOX: 1.2,
    Kind.BOX_ARRIVES: 1.6,
    Kind.BOX_LEAVES: 0.9,
    Kind.HIDE: 1.1,
    Kind.EMERGE: 2.5,
}


def event_seconds(travel_seconds: float) -> dict[Kind, float]:
    """Length of each kind of event."""
    half_visible = (Kind.ENTER_BOX, Kind.EXIT_BOX, Kind.HIDE, Kind.EMERGE)
    lengths = dict.fromkeys(Kind, travel_seconds)
    lengths |= dict.fromkeys(half_visible, travel_seconds + PAUSE_SECONDS)
    return {**lengths, Kind.VISIT: 2 * travel_seconds + VISIT_SECONDS}


Choices = list[tuple[Kind, Thing | None]]
"""Possible events, each with its thing."""


class Simulator:
    """Generates a `Story` of a number of beats from a seed."""

    def __init__(self, seed: int, difficulty: Difficulty) -> None:
        self.random = random.Random(seed)
        self.seed, self.difficulty = seed, difficulty
        self.travel_seconds = difficulty.travel_seconds
        self.event_seconds = event_seconds(difficulty.travel_seconds)
        self.paths = Paths()
        self.events: list[Event] = []
        self.cast = self._choose_cast()
        self.back_at_beat = {thing: self._debut() for thing in self.cast}
        names = self.random.sample(list(PLACES), difficulty.num_places)
        self.places = {name: self._furnish(name) for name in names}

    def run(self, num_beats: int) -> Story:
        """Play the given number of beats."""
        scenes: list[Scene] = []
        beat, seconds = 0, self.difficulty.beat_seconds
        names = list(self.places)
        while beat < num_beats:
            others = [name for name in names if not scenes or name != scenes[-1].place]
            place = self.places[self.random.choice(others or names)]
            length = min(self.random.randint(*self.difficulty.beats_per_scene), num_beats - beat)
            for number in range(beat, beat + length):
                self._play_beat(number, place)
            scenes.append(Scene(beat * seconds, (beat + length) * seconds, place.name))
            beat += length
        return self._finish(tuple(scenes), num_beats * seconds)

    def _choose_cast(self) -> tuple[Thing, ...]:
        weights = {noun: 2.0 if noun in COLOURS_OF else 1.0 for noun in NOUNS}
        chosen: list[Thing] = []
        while len(chosen) < self.difficulty.num_things:
            (noun,) = self.random.choices(list(weights), list(weights.values()))
            del weights[noun]
            colours = COLOURS_OF.get(noun)
            chosen.append(Thing(noun, self.random.choice(colours) if colours else None))
        return tuple(chosen)

    def _debut(self) -> int:
        """Beat from which a thing may come for the first time; draws nothing where all may from the start."""
        last = self.difficulty.last_debut_beat
        return self.random.randint(0, last) if last else 0

    def _furnish(self, name: str) -> PlaceState:
        """A place with its fixture in the lower part; the slot below or above stays free for peeking."""
        fixture = (self.random.choice(COLUMNS), self.random.choice(ROWS[1:]))
        slots: dict[Point, Thing | None] = {(x, y): None for x in COLUMNS for y in ROWS if (x, y) != fixture}
        return PlaceState(name, fixture, slots)

    def _play_beat(self, beat: int, place: PlaceState) -> None:
        wanted = self.random.choices(range(len(self.difficulty.event_weights)), self.difficulty.event_weights)[0]
        busy: set[Thing] = set()
        special = False  # one event per beat at the box or fixture, so that its parts cannot collide
        place.left_this_beat.clear()
        beat_end = (beat + 1) * self.difficulty.beat_seconds
        for start in self._start_times(beat, wanted):
            choices = [
                (kind, thing)
                for kind, thing in self._possible(beat, place, busy, special)
                if start + self.event_seconds[kind] <= beat_end - 3.0
            ]
            if not choices:
                continue
            kinds = sorted({kind for kind, _ in choices})
            kind = self.random.choices(kinds, [EVENT_WEIGHTS[kind] for kind in kinds])[0]
            thing = self.random.choice([who for which, who in choices if which == kind])
            special = special or kind not in _PLAIN
            busy |= {thing} if thing else set()
            self._apply(kind, thing, place, start, beat)

    def _start_times(self, beat: int, wanted: int) -> list[float]:
        """Ordered times, at least four seconds apart, so events of a beat have a visible order."""
        room = self.difficulty.beat_seconds - 3.0 - 3.0 - self.travel_seconds - 4.0 * max(wanted - 1, 0)
        offsets = sorted(self.random.uniform(0.0, max(room, 0.0)) for _ in range(wanted))
        base = beat * self.difficulty.beat_seconds + 3.0
        return [round(base + offset + 4.0 * number, 2) for number, offset in enumerate(offsets)]

    def _possible(
        self, beat: int, place: PlaceState, busy: set[Thing], special: bool
    ) -> list[tuple[Kind, Thing | None]]:
        """Events that the place's state allows now."""
        here = {thing for p in self.places.values() for thing in (*p.visible(), p.box_content, p.hidden) if thing}
        away = [thing for thing in self.cast if thing not in here | busy and self.back_at_beat[thing] <= beat]
        visible = [thing for thing in place.visible() if thing not in busy]
        room = len(place.visible()) < self.difficulty.max_visible and len(place.free_slots()) > 2
        found: Choices = []
        if room:
            found += [(kind, thing) for thing in away for kind in (Kind.ARRIVE, Kind.VISIT)]
        for thing in visible:
            found.append((Kind.LEAVE, thing))
            x = place.slot_of(thing)[0]
            targets = [slot[0] for slot in place.free_slots()]
            found += [(Kind.MOVE_LEFT, thing)] * any(target < x for target in targets)
            found += [(Kind.MOVE_RIGHT, thing)] * any(target > x for target in targets)
        if special:
            return found
        return found + self._possible_special(place, visible, busy, room)

    def _possible_special(self, place: PlaceState, visible: list[Thing], busy: set[Thing], room: bool) -> Choices:
        found: Choices = []
        if place.box is None:
            if any(slot[1] > 0.4 for slot in place.free_slots()):
                found.append((Kind.BOX_ARRIVES, None))
        elif place.box_content is None:
            found.append((Kind.BOX_LEAVES, None))
            found += [(Kind.ENTER_BOX, thing) for thing in visible if thing.noun not in TOO_BIG_FOR_THE_BOX]
        elif place.box_content not in busy:
            found.append((Kind.BOX_LEAVES, place.box_content))
            found += [(Kind.EXIT_BOX, place.box_content)] * room
        if place.hidden is None:
            found += [(Kind.HIDE, thing) for thing in visible]
        elif room:
            found.append((Kind.EMERGE, place.hidden))
        return found

    def _apply(self, kind: Kind, thing: Thing | None, place: PlaceState, start: float, beat: int) -> None:
        end = start + self.event_seconds[kind]
        self.events.append(Event(kind, thing, start, end, place.name))
        if kind in (Kind.BOX_ARRIVES, Kind.BOX_LEAVES):
            self._box_travels(kind, place, start, end, beat)
        elif thing is not None:
            if kind in (Kind.LEAVE, Kind.VISIT):
                self._schedule_return(thing, beat)
            getattr(self, f"_{kind.name.lower()}")(thing, place, start, end)

    def _schedule_return(self, thing: Thing, beat: int) -> None:
        low, high = self.difficulty.gap_beats
        self.back_at_beat[thing] = beat + self.random.randint(low, high)

    def _edge(self, slot: Point) -> Point:
        left = slot[0] < 0.4 or (slot[0] < 0.6 and self.random.random() < 0.5)
        return (-0.2 if left else 1.2, slot[1])

    def _arrive(self, thing: Thing, place: PlaceState, start: float, end: float) -> None:
        slot = self.random.choice(place.free_slots())
        place.slots[slot] = thing
        self.paths.begin(place.name, thing, start, self._edge(slot))
        self.paths.go(place.name, thing, start, end, slot)

    def _leave(self, thing: Thing, place: PlaceState, start: float, end: float) -> None:
        slot = place.vacate(thing)
        self.paths.go(place.name, thing, start, end, self._edge(slot))
        self.paths.end(place.name, thing, end, thing.phrase)

    def _visit(self, thing: Thing, place: PlaceState, start: float, end: float) -> None:
        self._arrive(thing, place, start, start + self.travel_seconds)
        self._leave(thing, place, end - self.travel_seconds, end)

    def _move(self, thing: Thing, place: PlaceState, start: float, end: float, sign: int) -> None:
        slot = place.slot_of(thing)
        target = self.random.choice([free for free in place.free_slots() if (free[0] - slot[0]) * sign > 0])
        place.vacate(thing)
        place.slots[target] = thing
        self.paths.go(place.name, thing, start, end, target)

    def _move_left(self, thing: Thing, place: PlaceState, start: float, end: float) -> None:
        self._move(thing, place, start, end, -1)

    def _move_right(self, thing: Thing, place: PlaceState, start: float, end: float) -> None:
        self._move(thing, place, start, end, 1)

    def _enter_box(self, thing: Thing, place: PlaceState, start: float, end: float) -> None:
        above = self._above_box(place)
        self._walk_to(thing, place, start, above, Layer.IN_BOX, end)
        self.paths.end(place.name, "box", end, "open box")
        self.paths.begin(place.name, "box", end, self._box_point(place))
        place.box_content = thing

    def _exit_box(self, thing: Thing, place: PlaceState, start: float, end: float) -> None:
        self.paths.end(place.name, "box", start, "closed box")
        self.paths.begin(place.name, "box", start, self._box_point(place))
        place.box_content = None
        self._walk_from(thing, place, start, self._above_box(place), Layer.IN_BOX, end)

    def _hide(self, thing: Thing, place: PlaceState, start: float, end: float) -> None:
        place.hidden = thing
        self._walk_to(thing, place, start, self._beside_fixture(place), Layer.BEHIND_FIXTURE, end)

    def _emerge(self, thing: Thing, place: PlaceState, start: float, end: float) -> None:
        place.hidden = None
        self._walk_from(thing, place, start, self._beside_fixture(place), Layer.BEHIND_FIXTURE, end)

    def _walk_to(self, thing: Thing, place: PlaceState, start: float, spot: Point, layer: Layer, end: float) -> None:
        """Go from the thing's slot to a spot, stay half visible until `end`, then disappear."""
        place.vacate(thing)
        there = start + self.travel_seconds
        self.paths.go(place.name, thing, start, there, spot)
        self.paths.end(place.name, thing, there, thing.phrase)
        self.paths.show(thing, place.name, layer, [(there, *spot), (end, *spot)])

    def _walk_from(self, thing: Thing, place: PlaceState, start: float, spot: Point, layer: Layer, end: float) -> None:
        """Be half visible at a spot, then go to a free slot."""
        out = end - self.travel_seconds
        self.paths.show(thing, place.name, layer, [(start, *spot), (out, *spot)])
        slot = self.random.choice(place.free_slots())
        place.slots[slot] = thing
        self.paths.begin(place.name, thing, out, spot)
        self.paths.go(place.name, thing, out, end, slot)

    def _box_travels(self, kind: Kind, place: PlaceState, start: float, end: float, beat: int) -> None:
        if kind == Kind.BOX_ARRIVES:
            place.box = self.random.choice([slot for slot in place.free_slots() if slot[1] > 0.4])
            del place.slots[place.box]
            self.paths.begin(place.name, "box", start, self._edge(place.box))
            self.paths.go(place.name, "box", start, end, place.box)
            return
        point = self._box_point(place)
        self.paths.go(place.name, "box", start, end, self._edge(point))
        self.paths.end(place.name, "box", end, "closed box" if place.box_content else "open box")
        if place.box_content:
            self._schedule_return(place.box_content, beat)
        place.slots[point], place.box, place.box_content = None, None, None

    def _box_point(self, place: PlaceState) -> Point:
        if place.box is None:
            raise RuntimeError(f"there is no box in the {place.name}")
        return place.box

    def _above_box(self, place: PlaceState) -> Point:
        x, y = self._box_point(place)
        return x, y - 0.13

    def _beside_fixture(self, place: PlaceState) -> Point:
        x, y = place.fixture
        return x + (0.15 if x < 0.6 else -0.15), y

    def _finish(self, scenes: tuple[Scene, ...], seconds: float) -> Story:
        for place, who in list(self.paths.open):
            box = "closed box" if self.places[place].box_content else "open box"
            self.paths.end(place, who, seconds + 1.0, who.phrase if isinstance(who, Thing) else box)
        events = tuple(sorted(self.events, key=lambda event: event.start_seconds))
        fixtures = {name: place.fixture for name, place in self.places.items()}
        return Story(self.seed, self.difficulty, seconds, scenes, tuple(self.paths.done), events, fixtures)


_PLAIN = frozenset({Kind.ARRIVE, Kind.LEAVE, Kind.VISIT, Kind.MOVE_LEFT, Kind.MOVE_RIGHT})


def make_story(seed: int, num_beats: int, difficulty: Difficulty | None = None) -> Story:
    """Story of a seed; equal arguments give equal stories."""
    return Simulator(seed, difficulty or Difficulty()).run(num_beats)
