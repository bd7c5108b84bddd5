"""Tables of one experiment: accuracy, accuracy by kind, judge's ratings, and caption accuracy if the truth is known."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from keepsight.bench.datasets.toyworld import knows_truth
from keepsight.bench.experiments import Experiment
from keepsight.bench.output import Table
from keepsight.bench.records import DataSet
from keepsight.bench.results import Results
from keepsight.bench.scoring import nextqa
from keepsight.bench.scoring.base import MAX_RATING
from keepsight.bench.tabulate import Scored, make_table, scored_answers
from keepsight.bench.toy_captions import past_scores, scored_captions
from keepsight.bench.toy_failures import failure_cases

NEXTQA = "nextqa-mc"
"""Data set whose kinds of question are reported in groups."""

FAILURES_OF = "overview"
"""Experiment whose chapter counts failure modes."""


@dataclass(frozen=True)
class ChapterTables:
    """Tables of an experiment.

    Attributes:
        answers: accuracy, overall and split into yes-no and other questions.
        past: accuracy of memory-only clauses in captions; None if the truth is unknown or nothing needs memory.
        more: all other tables.
    """

    answers: Table
    past: Table | None
    more: tuple[Table, ...]

    def __iter__(self) -> Iterator[Table]:
        return iter((self.answers, *self.more, *([self.past] if self.past else [])))


def make_tables(results: Results, data_set: DataSet, experiment: Experiment, *, seed: int = 0) -> ChapterTables:
    """All tables of an experiment.

    Args:
        results: results of a run with all its methods.
        data_set: the data set.
        experiment: rows and reference.
        seed: of the intervals.
    """
    num_videos = len(data_set.videos)
    about = (
        f"{results.data_set}, {num_videos} video{'' if num_videos == 1 else 's'}, model {results.environment['model']}"
    )

    def table(
        title: str,
        note: str,
        cases_of: Callable[[str], Sequence[Scored]],
        *,
        compare: bool = True,
        distinct: bool = False,
    ) -> Table:
        full_title = f"{experiment.title}: {title}" if title else experiment.title
        caption = f"{about}; {note}" if note else about
        return make_table(experiment, full_title, caption, cases_of, compare=compare, distinct=distinct, seed=seed)

    answers = table("", "", lambda method: scored_answers(results.of(method)))
    more = [table("by kind of question", "", partial(_by_kind, results))]
    if any(prediction.rating is not None for prediction in results.predictions):
        more.append(table("marks", f"the judge's marks, per cent of {MAX_RATING}", partial(_marks, results)))
    if any(prediction.f1 is not None for prediction in results.predictions):
        more.append(table("token F1", "words of the answer, without articles", partial(_token_f1, results)))
    if not knows_truth(data_set) or not any(results.captions_of(method) for method in experiment.rows.values()):
        return ChapterTables(answers, None, tuple(more))

    def of_captions(cases: Callable[..., list[Scored]]) -> Callable[[str], list[Scored]]:
        return lambda method: cases(data_set, results.captions_of(method))

    note = "each event counts separately; methods with the captions of one before are left out"
    more.append(table("statements in captions, exact match", note, of_captions(scored_captions), distinct=True))
    if experiment.name == FAILURES_OF:
        note = "shares of cases, see docs/experiments.md"
        # Results of earlier versions do not record it, and were counted with one frame a step.
        count = partial(failure_cases, frames_per_step=results.environment.get("frames_per_step", 1))
        more.append(table("failure modes", note, of_captions(count), compare=False, distinct=True))
    note = "clauses of captions, exact match"
    past = table("memory-only clauses", note, of_captions(past_scores), distinct=experiment.plot is None)
    return ChapterTables(answers, past if past.rows else None, tuple(more))


def _by_kind(results: Results, method: str) -> list[Scored]:
    """Scored answers by task; for NExT-QA by its groups and types, in the published order."""
    cases = scored_answers(results.of(method), by_task=True)
    if results.data_set != NEXTQA:
        return cases
    reported = [replace(case, columns=nextqa.columns_of(*case.columns)) for case in cases if case.columns]
    return sorted(reported, key=lambda case: nextqa.COLUMNS.index(case.columns[-1]))


def _marks(results: Results, method: str) -> list[Scored]:
    return [
        Scored(prediction.question_id, prediction.video_id, prediction.rating / MAX_RATING)
        for prediction in results.of(method)
        if prediction.rating is not None
    ]


def _token_f1(results: Results, method: str) -> list[Scored]:
    return [
        Scored(prediction.question_id, prediction.video_id, prediction.f1)
        for prediction in results.of(method)
        if prediction.f1 is not None
    ]
