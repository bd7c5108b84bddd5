"""Straight lines through measured points: slopes with their errors, and exponents of growth."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from statistics import mean

import numpy as np

from keepsight.bench.statistics import student_t_quantile


@dataclass(frozen=True)
class Line:
    """A least-squares line.

    Attributes:
        slope: of the line.
        error: standard error of the slope; 0 for two points.
        intercept: where it begins.
        degrees: points less two.
    """

    slope: float
    error: float
    intercept: float
    degrees: int

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the slope by Student's t; the slope itself where no error can be told."""
        half = self.error * student_t_quantile(self.degrees) if self.degrees > 0 else 0.0
        return self.slope - half, self.slope + half


def fit_line(x: Sequence[float], y: Sequence[float]) -> Line:
    """Ordinary least squares through two points or more with at least two different x."""
    at, found = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    centred = at - at.mean()
    spread = float(centred @ centred)
    slope = float(centred @ found) / spread
    intercept = float(found.mean() - slope * at.mean())
    residuals = found - intercept - slope * at
    degrees = len(at) - 2
    error = float(np.sqrt(residuals @ residuals / degrees / spread)) if degrees > 0 else 0.0
    return Line(slope, error, intercept, degrees)


def fit_exponent(sizes: Sequence[float], costs: Sequence[float]) -> Line:
    """The exponent k of cost ~ size**k: the slope of the logarithms. Sizes and costs are positive."""
    return fit_line(np.log(sizes).tolist(), np.log(costs).tolist())


def means_of_stretches(
    at: Sequence[float], found: Sequence[float], num_stretches: int, warm_up: float
) -> tuple[list[float], list[float]]:
    """Means over stretches with equally many measurements: those in a row depend on each other, stretches hardly.

    Args:
        at: when each was measured, from 0, rising.
        found: what; those that are NaN count nowhere.
        num_stretches: so many, and a part of one at the end is left out.
        warm_up: share of the time from 0 to the last that is left out, where anything is left then.

    Returns:
        Mean times and mean values.
    """
    pairs = list(zip(at, found, strict=True))
    rest = [pair for pair in pairs if pair[0] >= warm_up * at[-1]] or pairs
    size = max(1, len(rest) // num_stretches)
    parts = [rest[start : start + size] for start in range(0, len(rest) - size + 1, size)]
    counted = [[pair for pair in part if not isnan(pair[1])] for part in parts]
    means = [(mean(x for x, _ in part), mean(y for _, y in part)) for part in counted if part]
    return [x for x, _ in means], [y for _, y in means]
