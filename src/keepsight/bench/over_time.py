"""Curves over time: accuracy by age of evidence and by gap, latency by stream age."""

from collections.abc import Callable, Mapping, Sequence

from keepsight.bench.output import Curve
from keepsight.bench.records import DataSet
from keepsight.bench.results import Prediction, Results
from keepsight.bench.tabulate import Scored, curve_over_groups
from keepsight.bench.toy_captions import past_clauses

NUM_GROUPS = 5
"""Points of a curve over age, with equal numbers of questions."""

GAP_GROUPS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
"""Gaps in clips; each clause counts for the largest that it reaches."""


def accuracy_by_gap(data_set: DataSet, results: Results, methods: Mapping[str, str], seed: int) -> list[Curve]:
    """Share of memory-only clauses in captions, by gap in clips."""
    curves = []
    for label, method in methods.items():
        groups: dict[float, list[Scored]] = {}
        for clause in past_clauses(data_set, results.captions_of(method)):
            reached = max(gap for gap in GAP_GROUPS if gap <= clause.gap_clips)
            groups.setdefault(float(reached), []).append(clause.scored)
        curves.append(curve_over_groups(label, groups, seed=seed))
    return [curve for curve in curves if curve is not None]


def accuracy_by_age(results: Results, methods: Mapping[str, str], seed: int) -> list[Curve]:
    """Accuracy by minutes between evidence and question."""
    return _accuracy(results, methods, lambda prediction: prediction.age_seconds, seed)


def accuracy_by_length(results: Results, methods: Mapping[str, str], seed: int) -> list[Curve]:
    """Accuracy by minutes of video before the question."""
    return _accuracy(results, methods, lambda prediction: prediction.ask_seconds, seed)


def _accuracy(
    results: Results, methods: Mapping[str, str], seconds_of: Callable[[Prediction], float | None], seed: int
) -> list[Curve]:
    """Accuracy by a prediction's minutes; predictions without a time are omitted."""
    curves = []
    for label, method in methods.items():
        timed = [(seconds_of(prediction), prediction) for prediction in results.of(method)]
        known = [(seconds / 60, prediction) for seconds, prediction in timed if seconds is not None]
        curves.append(curve_over_groups(label, _scored(_even_groups(known)), seed=seed))
    return [curve for curve in curves if curve is not None]


def latency_by_age(results: Results, methods: Mapping[str, str]) -> list[Curve]:
    """Median wall time of an answer by minutes of video before it, with quartiles."""
    curves = []
    for label, method in methods.items():
        known = [(p.ask_seconds / 60, p) for p in results.of(method) if p.ask_seconds is not None]
        points = [(x, *_quartiles([p.answer_seconds for p in members])) for x, members in _even_groups(known).items()]
        if points:
            x, low, middle, high = zip(*points, strict=True)
            curves.append(Curve(label, x, middle, low, high))
    return curves


def _scored(groups: Mapping[float, Sequence[Prediction]]) -> dict[float, list[Scored]]:
    return {
        x: [Scored(p.question_id, p.video_id, p.score) for p in members if p.score is not None]
        for x, members in groups.items()
    }


def _even_groups(known: Sequence[tuple[float, Prediction]]) -> dict[float, list[Prediction]]:
    """A group per distinct number if there are few, else groups of equal size at their centres."""
    in_order = sorted(known, key=lambda pair: pair[0])
    if len({x for x, _ in known}) <= NUM_GROUPS:
        return {x: [p for other, p in in_order if other == x] for x, _ in in_order}
    size = max(1, -(-len(in_order) // NUM_GROUPS))
    groups: dict[float, list[Prediction]] = {}
    for start in range(0, len(in_order), size):
        part = in_order[start : start + size]
        groups.setdefault(round(part[len(part) // 2][0], 2), []).extend(prediction for _, prediction in part)
    return dict(sorted(groups.items()))


def _quartiles(seconds: Sequence[float]) -> tuple[float, float, float]:
    in_order = sorted(seconds)
    last = len(in_order) - 1
    return in_order[last // 4], in_order[last // 2], in_order[last - last // 4]
