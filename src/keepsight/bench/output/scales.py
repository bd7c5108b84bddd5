"""Axis limits and ticks, with readable numbers."""

from collections.abc import Callable, Sequence

_MOST_TICKS = 12


def exact_labels(*, percent: bool) -> Callable[[float, float], str]:
    """Labels of ticks that matplotlib chose, which are already round."""
    return lambda tick, _: f"{100 * tick:g} %" if percent else f"{tick:g}"


def padded(lowest: float, highest: float, log: bool) -> tuple[float, float]:
    """Axis limits with some padding."""
    if log:
        room = (highest / lowest) ** 0.06 if highest > lowest else 2.0
        return lowest / room, highest * room
    room = 0.06 * (highest - lowest) or abs(highest) / 2 or 1.0
    return lowest - room, highest + room


def ticks_at(points: Sequence[float]) -> list[float]:
    """Ticks of a logarithmic axis: all points except those too close to the previous one."""
    positions = sorted(set(points))
    nearest = (positions[-1] / positions[0]) ** (1 / _MOST_TICKS)
    kept = positions[:1]
    for position in positions[1:]:
        if position >= kept[-1] * nearest:
            kept.append(position)
    return kept


def tick_labels(ticks: Sequence[float], *, percent: bool) -> list[str]:
    """Tick labels. Shares become percentages, rounded if they stay distinct: 1/16 is 6 %.

    Integers replace values within a twentieth, two digits the rest.
    """
    if not percent:
        return [f"{tick:g}" for tick in ticks]
    exact = [100 * tick for tick in ticks]
    short = [f"{round(value):d}" if abs(round(value) - value) <= abs(value) / 20 else f"{value:.2g}" for value in exact]
    return [f"{text} %" for text in (short if len(set(short)) == len(set(exact)) else map("{:g}".format, exact))]
