"""State of a place during generation, and the paths of things through it."""

from dataclasses import dataclass, field

from keepsight.toyworld.story import Appearance, Layer, Thing

Point = tuple[float, float]


@dataclass
class PlaceState:
    """State of a place between events; `slots` maps positions to things."""

    name: str
    fixture: Point
    slots: dict[Point, Thing | None]
    box: Point | None = None
    box_content: Thing | None = None
    hidden: Thing | None = None
    left_this_beat: set[Point] = field(default_factory=set)

    def free_slots(self) -> list[Point]:
        """Slots that something may enter in this beat."""
        return [slot for slot, thing in self.slots.items() if thing is None and slot not in self.left_this_beat]

    def vacate(self, thing: Thing) -> Point:
        """Free a thing's slot from the next beat on, since the thing may still be leaving."""
        slot = self.slot_of(thing)
        self.slots[slot] = None
        self.left_this_beat.add(slot)
        return slot

    def slot_of(self, thing: Thing) -> Point:
        """Slot of a thing."""
        return next(slot for slot, other in self.slots.items() if other == thing)

    def visible(self) -> list[Thing]:
        """Things that stand in slots."""
        return [thing for thing in self.slots.values() if thing is not None]


@dataclass
class Paths:
    """Unfinished paths (of a thing, or the "box" of a place) and finished appearances."""

    open: dict[tuple[str, object], list[tuple[float, float, float]]] = field(default_factory=dict)
    done: list[Appearance] = field(default_factory=list)

    def begin(self, place: str, who: object, seconds: float, at: Point) -> None:
        """Appear at a point."""
        self.open[place, who] = [(seconds, *at)]

    def go(self, place: str, who: object, start: float, end: float, to: Point) -> None:
        """Stay until `start`, then reach a point by `end`."""
        path = self.open[place, who]
        path.append((start, *path[-1][1:]))
        path.append((end, *to))

    def end(self, place: str, who: object, seconds: float, picture: str, layer: Layer = Layer.FLOOR) -> None:
        """Disappear; adds the appearance with its image."""
        path = self.open.pop((place, who))
        thing = who if isinstance(who, Thing) else None
        if path[-1][0] < seconds:
            path.append((seconds, *path[-1][1:]))
        self.done.append(Appearance(picture, thing, place, layer, tuple(path)))

    def show(self, thing: Thing, place: str, layer: Layer, path: list[tuple[float, float, float]]) -> None:
        """Add a complete appearance."""
        self.done.append(Appearance(thing.phrase, thing, place, layer, tuple(path)))
