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

How often 95 % intervals hold the truth, in per cent, of an accuracy / of a difference, by the number of videos; 1,500
draws, standard error 0.6 (`python -m tests.bench.clustered_worlds 1500`):

    accuracies, questions a video                3      6      8     12     30
    80 and 80 %, 20                          95/98  98/99  95/97  94/97  95/97
    80 and 74 %, 3 to 70                     93/96  98/97  95/95  94/95  95/95
    75 and 50 %, 3 to 70                     93/94  97/98  95/97  94/96  95/95
    80 and 74 %, 3 to 70, more in hard ones  91/96  92/97  90/96  87/95  90/95
    76 and 8 %, 1 to 8                       96/99  98/99  95/97  96/95  94/96
    95 and 93 %, 20                        100/99  98/96  94/97  93/95  95/96
    97 and 96 %, 3 to 70 (500 draws)        99/100  97/96  96/98  94/98  92/93

"95 %" is not true of an accuracy where hard videos have more questions: 87 to 92, and no better with 30 videos. Of
differences it holds there. Of two equal methods (the first line) 0 to 3 % are marked as real. With 6 videos an
interval is the range of the videos' means, which holds the truth too often and is wider than Student's.
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
