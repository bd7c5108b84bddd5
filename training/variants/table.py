"""Models trained with one memory and used with another, on the toy world: needs-memory clauses, answers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from keepsight.bench.datasets.toyworld import ToyWorldSettings, make_toyworld
from keepsight.bench.methods import make_method
from keepsight.bench.methods.captions import Captions
from keepsight.bench.output.wording import percent
from keepsight.bench.records import DataSet
from keepsight.bench.results import Results
from keepsight.bench.runner import RunSettings, run
from keepsight.bench.scoring import make_scorer
from keepsight.bench.statistics import accuracy_interval, paired_difference
from keepsight.bench.tabulate import Scored, scored_answers
from keepsight.bench.toy_captions import EVENTS, PAST, scored_captions
from keepsight.errors import SettingError
from keepsight.settings import Settings
from training.variants.evidence import kept_evidence
from training.variants.selector import HEAD_FILE, LearnedSelection

ANSWERS = "answers"
EVIDENCE, USED = "evidence kept", "needs memory, evidence kept"
MEASURES = (PAST, EVIDENCE, USED, EVENTS, ANSWERS)
"""`EVIDENCE` is the share of the clauses of `PAST` whose evidence is in memory, and `USED` what is right of those."""
LEARNED_COLUMN = "learned"
DEFAULT_COLUMNS = ("selector=attention", "selector=uniform", "selector=random", "memory_clips=0")
"""Settings of `captions`, as `make_method` reads them; `learned` is the selection by a trained head."""


@dataclass(frozen=True)
class TableSettings:
    """What to compare.

    Attributes:
        models: bundled names or folders; a row each.
        columns: settings of `captions`, or `learned`. The first two are compared, paired by clause and question.
        num_videos: videos of the split `test`.
        minutes: length of each.
        processes: videos at a time.
        cache_folder: cache of answers, with which a stopped comparison resumes.
        head: weights of the selecting head; None for those in the repository.
    """

    models: tuple[str, ...]
    columns: tuple[str, ...] = DEFAULT_COLUMNS
    num_videos: int = 12
    minutes: float = 8.0
    processes: int = 1
    cache_folder: Path = Path("bench-cache")
    head: Path | None = None


Cases = dict[str, dict[str, list[Scored]]]
"""Measure -> column -> its scored cases."""


def make_tables(settings: TableSettings) -> str:
    """One Markdown table for each measure: a row for each model, a column for each selection.

    Raises:
        SettingError: there are fewer than two columns.
        KeepsightError: a model or selection cannot be run.
    """
    if len(settings.columns) < 2:
        raise SettingError(f"columns must be at least two, got {len(settings.columns)}; repeat --column")
    data_set = make_toyworld(ToyWorldSettings(num_videos=settings.num_videos, minutes=settings.minutes))
    found = {Path(model).name: _cases(settings, model, data_set) for model in settings.models}
    tables = []
    for measure in next(iter(found.values())):
        lines = [[f"{measure}, %: trained with \\ selected with", "cases", *settings.columns, "first less second"]]
        for name, cases in found.items():
            columns = [cases[measure][column] for column in settings.columns]
            lines.append([name, str(len(columns[0])), *map(_cell, columns), _difference(columns[0], columns[1])])
        tables.append(_markdown(lines))
    return "\n\n".join(tables) + "\n"


def _cases(settings: TableSettings, model: str, data_set: DataSet) -> Cases:
    methods = {column: _method(column, settings.head) for column in settings.columns}
    how = RunSettings(model, processes=settings.processes, cache_folder=settings.cache_folder)
    results, _ = run(data_set, methods, make_scorer(data_set.scoring), how)
    found: Cases = {measure: {} for measure in MEASURES}
    for name, method in methods.items():
        for measure, cases in _measured(results, data_set, name, method.settings.memory_clips).items():
            found[measure][name] = cases
    return found


def _method(column: str, head: Path | None) -> Captions:
    if column == LEARNED_COLUMN:
        return Captions(Settings(selector=LearnedSelection(path=str(HEAD_FILE if head is None else head))))
    made = make_method(f"captions:{column}")
    if not isinstance(made, Captions):
        raise SettingError(f"a column must be settings of captions, got {column!r}")
    return made


def _measured(results: Results, data_set: DataSet, column: str, memory_clips: int) -> dict[str, list[Scored]]:
    captions = results.captions_of(column)
    scored = scored_captions(data_set, captions)
    past = [one for one in scored if PAST in one.columns]
    kept = kept_evidence(data_set, captions, memory_clips)
    return {
        PAST: past,
        EVIDENCE: [replace(one, score=float(has)) for one, has in zip(past, kept, strict=True)],
        USED: [one for one, has in zip(past, kept, strict=True) if has],
        EVENTS: [one for one in scored if EVENTS in one.columns],
        ANSWERS: scored_answers(results.of(column)),
    }


def _cell(cases: Sequence[Scored]) -> str:
    by_video: dict[str, list[float]] = {}
    for case in cases:
        by_video.setdefault(case.video_id, []).append(case.score)
    if not by_video:
        return "-"
    interval = accuracy_interval(by_video)
    return f"{percent(interval.mean)} [{percent(interval.low)}, {percent(interval.high)}]"


def _difference(first: Sequence[Scored], second: Sequence[Scored]) -> str:
    others = {case.case: case for case in second}
    both = [case for case in first if case.case in others]
    if not both:
        return "-"
    result = paired_difference(
        [case.score for case in both], [others[case.case].score for case in both], [case.video_id for case in both]
    )
    low, high = percent(result.low, signed=True), percent(result.high, signed=True)
    return f"{percent(result.mean, signed=True)} [{low}, {high}], p {result.p_clustered:.3f}"


def _markdown(lines: Sequence[Sequence[str]]) -> str:
    head, *rows = [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join([head, "|---" * len(lines[0]) + "|", *rows])
