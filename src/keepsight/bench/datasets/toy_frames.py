"""Frames of toy videos that carry what they show, for methods that are allowed to know it.

A frame tells only what is on screen at its own time, so an oracle that reads it cannot look ahead.
"""

from dataclasses import dataclass

from keepsight.toyworld.render import drawn_size
from keepsight.toyworld.story import Appearance, Story
from keepsight.video import Frame

_LEAST_COVER = 0.15
"""Minimum share of a cell that something must cover to count as shown there."""


@dataclass(frozen=True)
class Mark:
    """A thing or box on screen.

    Attributes:
        name: the thing's noun, or `box`.
        middle: its centre, x and y in shares of the picture.
        size: side of its square, in shares of the picture.
        acts: whether one of its events, such as arriving or moving, is under way.
    """

    name: str
    middle: tuple[float, float]
    size: float
    acts: bool = False

    def shows_in(self, cell: int, token_grid: tuple[int, int]) -> bool:
        """Whether it covers enough of a cell, counted row by row in a grid of rows and columns."""
        rows, columns = token_grid
        row, column = divmod(cell, columns)
        x, y = self.middle
        return _overlap(x, self.size, column, columns) * _overlap(y, self.size, row, rows) > _LEAST_COVER


@dataclass(frozen=True, eq=False, repr=False)
class MarkedFrame(Frame):
    """A frame with what it shows.

    Attributes:
        marks: all things and boxes on screen, unordered.
    """

    marks: tuple[Mark, ...] = ()


def marks_at(story: Story, seconds: float) -> tuple[Mark, ...]:
    """What a story shows at a time."""
    return tuple(
        Mark(
            shown.thing.noun if shown.thing is not None else "box",
            shown.position(seconds),
            drawn_size(story, shown),
            _acts(story, shown, seconds),
        )
        for shown in story.visible_at(seconds)
    )


def _acts(story: Story, shown: Appearance, seconds: float) -> bool:
    return any(
        event.thing == shown.thing
        and event.place == shown.place
        and event.start_seconds <= seconds <= event.end_seconds
        for event in story.events
    )


def _overlap(middle: float, size: float, number: int, count: int) -> float:
    """Share of a cell's side that a square covers, for the cell `number` of `count` along one axis."""
    low, high = middle - size / 2, middle + size / 2
    return max(0.0, min(high, (number + 1) / count) - max(low, number / count)) * count
