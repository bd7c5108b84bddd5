"""Quantiles of Student's t, without scipy."""

import math

CONFIDENCE = 0.95
"""Confidence of all intervals, where no other is given."""


def student_t_quantile(degrees: int, confidence: float = CONFIDENCE) -> float:
    """The t with |T| < t at this confidence, by bisection of the closed form.

    Args:
        degrees: degrees of freedom, at least 1.
        confidence: above 0 and below 1; 0.95 gives the upper 2.5 % point.
    """
    low, high = 0.0, 16.0
    while _central_mass(high, degrees) < confidence:
        high *= 2
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if _central_mass(middle, degrees) < confidence else (low, middle)
    return high


def _central_mass(t: float, degrees: int) -> float:
    """Chance of |T| < t (Abramowitz and Stegun, "Handbook of Mathematical Functions", 26.7.3 and 26.7.4)."""
    angle = math.atan(t / math.sqrt(degrees))
    odd = degrees % 2
    term = math.cos(angle) if odd else 1.0
    series = term if degrees > 1 else 0.0
    for step in range(2 + odd, degrees - 1, 2):
        term *= (step - 1) / step * math.cos(angle) ** 2
        series += term
    return 2 / math.pi * (angle + math.sin(angle) * series) if odd else math.sin(angle) * series
