"""Confidence of an accuracy or a difference of two methods, with questions clustered by video.

Questions of one video share its difficulty, so videos, not questions, are independent:

- p of a difference: the methods are exchanged video by video, see `sign_flip_p`. Several comparisons of one table are
  corrected together, see `holm`.
- Intervals turn the same test round: they hold every mean that exchanging signs does not refuse at 5 %, where each
  video has what it exceeds the mean by. These are the means over all subsets of videos, without the smallest and
  largest 2.5 % (Hartigan, "Using subsample values as typical values", JASA 64, 1969, 1303-1317), so that interval and
  p agree before correction. Two methods are compared by their differences, question by question.
- 2 to 5 videos: so few signs refuse nothing at 5 %. Student's interval takes their place, while p stays above 0.05.
- No interval is narrower than that of independent questions: Wilson's for an accuracy, Tango's for a paired difference.
  It alone counts if all videos have the same mean, as where both methods answered alike, and for one video, of which
  `resampled` says "questions". Partial scores count by their variance.

A difference is real if its interval excludes 0 and its corrected p is below 0.05.
"""

from keepsight.bench.statistics.exact_tests import SIGNIFICANCE, fewest_videos, holm, mcnemar_p, sign_flip_p
from keepsight.bench.statistics.intervals import Difference, Interval, accuracy_interval, paired_difference
from keepsight.bench.statistics.score_intervals import tango_interval, wilson_interval
from keepsight.bench.statistics.student import CONFIDENCE, student_t_quantile

__all__ = [
    "CONFIDENCE",
    "SIGNIFICANCE",
    "Difference",
    "Interval",
    "accuracy_interval",
    "fewest_videos",
    "holm",
    "mcnemar_p",
    "paired_difference",
    "sign_flip_p",
    "student_t_quantile",
    "tango_interval",
    "wilson_interval",
]
