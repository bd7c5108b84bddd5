"""The state of a place while a story is made up, and the paths that things take through it."""

from dataclasses import dataclass, field

from keepsight.toyworld.story import Appearance, Layer, Thing

Point = tuple[float, float]


@dataclass
class PlaceState:
    """The state of one place between events; `slots` holds who stands where."""

    name: str
    fixture: Point
    slots: dict[Point, Thing | None]
    box: Point | None = None
    box_content: Thing | None = None
    hidden: Thing | None = None
    left_this_beat: set[Point] = field(default_factory=set)

    def free_slots(self) -> list[Point]:
        """Slots where something may come to stand in this beat."""
        return [slot for slot, thing in self.slots.items() if thing is None and slot not in self.left_this_beat]

    def vacate(self, thing: Thing) -> Point:
        """Free a thing's slot, for others from the next beat on: the thing may still be on its way out."""
        slot = self.slot_of(thing)
        self.slots[slot] = None
        self.left_this_beat.add(slot)
        return slot

    def slot_of(self, thing: Thing) -> Point:
        """Where a thing stands."""
        return next(slot for slot, other in self.slots.items() if other == thing)

    def visible(self) -> list[Thing]:
        """The things that stand in slots."""
        return [thing for thing in self.slots.values() if thing is not None]


@dataclass
class Paths:
    """Paths under way (thing or "box" of a place) and finished appearances."""

    open: dict[tuple[str, object], list[tuple[float, float, float]]] = field(default_factory=dict)
    done: list[Appearance] = field(default_factory=list)

    def begin(self, place: str, who: object, seconds: float, at: Point) -> None:
        """Come on the screen at a point."""
        self.open[place, who] = [(seconds, *at)]

    def go(self, place: str, who: object, start: float, end: float, to: Point) -> None:
        """Stay until `start`, then go to a point by `end`."""
        path = self.open[place, who]
        path.append((start, *path[-1][1:]))
        path.append((end, *to))

    def end(self, place: str, who: object, seconds: float, picture: str, layer: Layer = Layer.FLOOR) -> None:
        """Go off the screen; what stood there was shown as a picture."""
        path = self.open.pop((place, who))
        thing = who if isinstance(who, Thing) else None
        if path[-1][0] < seconds:
            path.append((seconds, *path[-1][1:]))
        self.done.append(Appearance(picture, thing, place, layer, tuple(path)))

    def show(self, thing: Thing, place: str, layer: Layer, path: list[tuple[float, float, float]]) -> None:
        """Add a whole appearance at once."""
        self.done.append(Appearance(thing.phrase, thing, place, layer, tuple(path)))
