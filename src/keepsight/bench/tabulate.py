"""Tables and curves from predictions: accuracies with intervals, differences paired by question."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from keepsight.bench.experiments import Experiment, Plot
from keepsight.bench.output import Cell, Curve, Row, Table
from keepsight.bench.results import Prediction
from keepsight.bench.scoring.splits import is_yes_no
from keepsight.bench.statistics import (
    SIGNIFICANCE,
    Difference,
    accuracy_interval,
    fewest_videos,
    holm,
    paired_difference,
)

ALL = "all"


@dataclass(frozen=True)
class Scored:
    """One scored case: an answer, or a caption.

    Attributes:
        case: what is compared between methods, such as a question's id.
        video_id: the cluster.
        score: from 0 to 1.
        columns: kinds that it counts for, besides all.
    """

    case: str
    video_id: str
    score: float
    columns: tuple[str, ...] = ()


def scored_answers(predictions: Sequence[Prediction], *, by_task: bool = False) -> list[Scored]:
    """Scored answers, split into yes-no and other questions, or by task."""
    return [
        Scored(
            prediction.question_id,
            prediction.video_id,
            prediction.score,
            _columns(prediction, by_task=by_task),
        )
        for prediction in predictions
        if prediction.score is not None
    ]


def _columns(prediction: Prediction, *, by_task: bool) -> tuple[str, ...]:
    if by_task:
        return (prediction.task,) if prediction.task else ()
    return ("yes/no" if is_yes_no(prediction.right_answer) else "other",)


def make_table(
    experiment: Experiment,
    title: str,
    caption: str,
    cases_of: Callable[[str], Sequence[Scored]],
    *,
    compare: bool = True,
    distinct: bool = False,
    seed: int = 0,
) -> Table:
    """A table of an experiment.

    Args:
        experiment: rows and reference.
        title: title of the table.
        caption: how it was measured.
        cases_of: method, as the experiment writes it -> its scored cases.
        compare: whether to pool cases of all columns and compare with the reference; not if columns differ in kind.
        distinct: omit methods whose cases equal those of an earlier method.
        seed: of the intervals.
    """
    cases = {label: list(cases_of(method)) for label, method in experiment.rows.items()}
    if distinct:
        cases = _without_repeats(cases, experiment.reference)
    columns = list(dict.fromkeys(column for listed in cases.values() for case in listed for column in case.columns))
    reference = {case.case: case for case in cases[experiment.reference]}
    differences = {
        label: _difference(listed, reference, seed)
        for label, listed in cases.items()
        if compare and label != experiment.reference
    }
    compared = _corrected(differences)
    rows = []
    for label, listed in cases.items():
        if not listed:
            continue
        cells = ({ALL: _cell(listed, seed)} if compare else {}) | {
            column: _cell(chosen, seed) for column in columns if (chosen := _in_column(listed, column))
        }
        rows.append(_row(label, cells, len(listed), compared.get(label)))
    with_reference = experiment.reference if reference and compare else None
    test = _test([difference for difference, _ in compared.values()])
    return Table(title, caption, (ALL, *columns) if compare else tuple(columns), tuple(rows), with_reference, test=test)


def _without_repeats(cases: Mapping[str, list[Scored]], reference: str) -> dict[str, list[Scored]]:
    """Cases without rows that repeat another one, preferably the reference."""
    kept = {reference: cases[reference]}
    for label, listed in cases.items():
        if listed not in kept.values():
            kept[label] = listed
    return {label: kept[label] for label in cases if label in kept}


def make_curves(plot: Plot, table: Table, column: str = ALL) -> list[Curve]:
    """Curves of a plot from table rows; points without a row are omitted."""
    rows = {row.method: row for row in table.rows}
    curves = []
    for label, points in plot.curves.items():
        known = [(x, rows[name].cells[column]) for x, name in points if name in rows and column in rows[name].cells]
        if known:
            curves.append(_curve(label, known))
    return curves


def curve_over_groups(label: str, groups: Mapping[float, Sequence[Scored]], *, seed: int = 0) -> Curve | None:
    """Accuracy over a number in which cases differ, such as age; None without cases."""
    known = [(x, _cell(groups[x], seed)) for x in sorted(groups) if groups[x]]
    return _curve(label, known) if known else None


def _curve(label: str, points: Sequence[tuple[float, Cell]]) -> Curve:
    return Curve(
        label=label,
        x=tuple(x for x, _ in points),
        y=tuple(cell.value for _, cell in points),
        low=tuple(cell.value if cell.low is None else cell.low for _, cell in points),
        high=tuple(cell.value if cell.high is None else cell.high for _, cell in points),
    )


def _in_column(cases: Sequence[Scored], column: str) -> list[Scored]:
    return [case for case in cases if column in case.columns]


def _cell(cases: Sequence[Scored], seed: int) -> Cell:
    by_video: dict[str, list[float]] = {}
    for case in cases:
        by_video.setdefault(case.video_id, []).append(case.score)
    interval = accuracy_interval(by_video, seed=seed)
    return Cell(interval.mean, min(interval.low, interval.mean), max(interval.high, interval.mean))


def _row(label: str, cells: dict[str, Cell], num_cases: int, compared: tuple[Difference, float] | None) -> Row:
    if compared is None:
        return Row(label, cells, num_cases)
    difference, p_corrected = compared
    return Row(
        label,
        cells,
        num_cases,
        Cell(difference.mean, difference.low, difference.high),
        difference.p_clustered,
        inside_noise=not difference.is_real(p_corrected),
        p_corrected=p_corrected,
    )


def _corrected(differences: Mapping[str, Difference | None]) -> dict[str, tuple[Difference, float]]:
    """Differences with their p corrected for each other."""
    known = {label: difference for label, difference in differences.items() if difference is not None}
    corrected = holm([difference.p_clustered for difference in known.values()])
    return dict(zip(known, zip(known.values(), corrected, strict=True), strict=True))


def _test(differences: Sequence[Difference]) -> str:
    """What p is, over how many comparisons it was corrected, and whether there are videos enough for it."""
    if not differences:
        return ""
    num_tests, num_videos = len(differences), max(difference.num_clusters for difference in differences)
    sentence = f"p: exact sign-flip test over {num_videos} video{'' if num_videos == 1 else 's'}"
    if num_tests > 1:
        sentence += f"; p Holm: corrected for the {num_tests} comparisons of this table"
    needed = fewest_videos(num_tests)
    return sentence + (f", for which {needed} videos are needed to be below 0.05." if num_videos < needed else ".")


def too_few_videos_note(experiments: Sequence[Experiment], num_videos: int) -> str | None:
    """A line on the experiments in whose table of answers no difference can be significant; None if there are none."""
    comparisons = {experiment.name: len(experiment.rows) - 1 for experiment in experiments}
    too_few = [
        f"{name} needs {fewest_videos(number)} ({number} comparison{'' if number == 1 else 's'})"
        for name, number in comparisons.items()
        if number and num_videos < fewest_videos(number)
    ]
    if not too_few:
        return None
    videos = "1 video is" if num_videos == 1 else f"{num_videos} videos are"
    within = f"any difference in answers to have a corrected p below {SIGNIFICANCE}"
    return f"{videos} too few for {within}: {', '.join(too_few)}"


def _difference(cases: Sequence[Scored], reference: Mapping[str, Scored], seed: int) -> Difference | None:
    """Difference from the reference over common cases; None without any."""
    both = [case for case in cases if case.case in reference]
    if not both:
        return None
    return paired_difference(
        [case.score for case in both],
        [reference[case.case].score for case in both],
        [case.video_id for case in both],
        seed=seed,
    )
