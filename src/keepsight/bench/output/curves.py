"""Line plots: accuracy against retention, FIFO length or the gap to bridge, latency against age."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keepsight.bench.output.figures import STYLES, Style, add_legend, check_plot, drawing, new_axes, plain, save
from keepsight.bench.output.scales import exact_labels, padded, tick_labels, ticks_at
from keepsight.errors import SettingError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

_MOST_WHISKERS = 12
_DODGE_POINTS = 5.0
_WIDEST_DODGE_POINTS = 20.0
_AXES_INCHES = 3.0
_LEAST_SHARE = 0.2


@dataclass(frozen=True)
class Curve:
    """Line of one method.

    Attributes:
        label: its name in the legend.
        x: positions, increasing, at least one.
        y: a value for each of them.
        low: lower ends of the intervals; empty where there are none.
        high: upper ends.

    Raises:
        SettingError: the lengths differ, x does not increase, a number is not finite, or low > high.
    """

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        num_points, num_ends = len(self.x), {len(self.low), len(self.high)}
        if not num_points or len(self.y) != num_points or (num_ends != {0} and num_ends != {num_points}):
            raise SettingError(f"curve {self.label!r} must have as many y, low and high as x, and at least one")
        if not all(math.isfinite(number) for number in (*self.x, *self.y, *self.low, *self.high)):
            raise SettingError(f"curve {self.label!r} must have finite numbers")
        if any(later <= earlier for earlier, later in zip(self.x, self.x[1:], strict=False)):
            raise SettingError(f"curve {self.label!r} must have increasing x, got {self.x}")
        if any(low > high for low, high in zip(self.low, self.high, strict=True)):
            raise SettingError(f"curve {self.label!r} must have low <= high in every interval")


def line_plot(
    path: Path,
    title: str,
    x_label: str,
    y_label: str,
    curves: Sequence[Curve],
    *,
    x_log: bool = False,
    x_ticks: Sequence[float] | None = None,
    x_percent: bool = False,
    y_percent: bool = False,
    caption: str = "",
) -> None:
    """Draw curves with their intervals: whiskers, or bands for more than 12 points.

    Curves that share an x are shifted by a few points, so that whiskers do not overlap. The y axis starts at zero
    unless all values are far above it.

    Args:
        path: ends in `.png` or `.svg`.
        title: title of the plot.
        x_label: with unit.
        y_label: with unit.
        curves: at most 8, in the order of methods, which determines the style.
        x_log: logarithmic x axis; all x above 0.
        x_ticks: x ticks; by default a logarithmic axis has them at the points.
        x_percent: x are shares, shown as per cent.
        y_percent: y are shares, shown as per cent.
        caption: how it was measured.

    Raises:
        SettingError: matplotlib is missing, the suffix is another, there are no or too many curves, or x is not above
            0 on a logarithmic axis.
        OSError: writing failed.
    """
    check_plot(path, len(curves))
    if x_log and min(x for xs in (*(curve.x for curve in curves), x_ticks or ()) for x in xs) <= 0:
        raise SettingError("x and its ticks must be above 0 on a logarithmic axis")
    with drawing():
        figure, axes = new_axes(title, caption, [curve.label for curve in curves], _AXES_INCHES)
        axes.set(xlabel=plain(x_label, 80), ylabel=plain(y_label, 40), xscale="log" if x_log else "linear")
        shifts = _shifts(curves)
        handles = [_draw(axes, *each) for each in zip(curves, STYLES[: len(curves)], shifts, strict=True)]
        _set_x_axis(axes, curves, x_ticks, x_log, x_percent)
        _set_y_axis(axes, curves, y_percent)
        # List curves in the legend in the order of their ends, top to bottom.
        order = sorted(range(len(curves)), key=lambda index: -curves[index].y[-1])
        add_legend(axes, [handles[index] for index in order], [curves[index].label for index in order])
        save(figure, path)


def _shifts(curves: Sequence[Curve]) -> list[float]:
    """Right shift of each curve in points of 1/72 inch; 0 for all if no x is shared."""
    shared = max(Counter(x for curve in curves for x in curve.x).values()) > 1
    if not shared or any(_has_band(curve) for curve in curves):
        return [0.0] * len(curves)
    step = min(_DODGE_POINTS, _WIDEST_DODGE_POINTS / (len(curves) - 1))
    return [(index - (len(curves) - 1) / 2) * step for index in range(len(curves))]


def _has_band(curve: Curve) -> bool:
    return len(curve.x) > _MOST_WHISKERS


def _draw(axes: "Axes", curve: Curve, style: Style, shift_points: float) -> "Line2D":
    from matplotlib.transforms import ScaledTranslation

    shifted = axes.transData + ScaledTranslation(shift_points / 72, 0, axes.figure.dpi_scale_trans)
    if curve.low and _has_band(curve):
        axes.fill_between(curve.x, curve.low, curve.high, color=style.colour, alpha=0.15, linewidth=0)
    elif curve.low:
        # Centre of the interval, which may differ from the value.
        middle = [(low + high) / 2 for low, high in zip(curve.low, curve.high, strict=True)]
        half = [(high - low) / 2 for low, high in zip(curve.low, curve.high, strict=True)]
        whiskers: dict[str, Any] = {"ecolor": style.colour, "elinewidth": 0.9, "capsize": 2.5, "capthick": 0.9}
        axes.errorbar(curve.x, middle, yerr=half, fmt="none", transform=shifted, **whiskers)
    (line,) = axes.plot(curve.x, curve.y, color=style.colour, linestyle=style.dash, transform=shifted)
    line.set(linewidth=1.5, marker=style.marker, markersize=style.marker_points)
    line.set(markevery=-(-len(curve.x) // _MOST_WHISKERS))
    line.set(markeredgecolor="white", markeredgewidth=0.5)
    return line


def _set_x_axis(axes: "Axes", curves: Sequence[Curve], ticks: Sequence[float] | None, log: bool, percent: bool) -> None:
    from matplotlib.ticker import NullLocator

    positions = [x for curve in curves for x in curve.x]
    ticks = ticks or (ticks_at(positions) if log else ())
    axes.set_xlim(*padded(min(positions), max(positions), log))
    if ticks:
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xticks(ticks, tick_labels(ticks, percent=percent))
    else:
        axes.xaxis.set_major_formatter(exact_labels(percent=percent))


def _set_y_axis(axes: "Axes", curves: Sequence[Curve], percent: bool) -> None:
    from matplotlib.ticker import MaxNLocator

    shown = [y for curve in curves for y in (*curve.y, *curve.low, *curve.high)]
    lowest, highest = min(shown), max(shown)
    if percent and highest - lowest < _LEAST_SHARE and lowest >= 0 and highest <= 1:
        # A narrower range would make noise look like an effect.
        lowest = min(max(0.0, (lowest + highest - _LEAST_SHARE) / 2), 1 - _LEAST_SHARE)
        highest = lowest + _LEAST_SHARE
    bottom, top = padded(lowest, highest, log=False)
    if 0 <= lowest <= highest / 2:
        bottom = 0.0
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axes.set_ylim(bottom, min(top, 1.02) if percent and highest <= 1 else top)
    axes.yaxis.set_major_formatter(exact_labels(percent=percent))
    axes.grid(axis="y")
