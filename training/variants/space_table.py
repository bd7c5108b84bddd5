"""Answers of `space` variants to held-out questions, with intervals over stories and paired differences."""

from collections.abc import Sequence
from pathlib import Path

from keepsight.bench.statistics import accuracy_interval, paired_difference
from keepsight.toyworld.space_questions import SPACE_KINDS
from training.reading import Reader
from training.variants.folders import model_of
from training.variants.space import SPACE_VARIANTS
from training.variants.space_held_out import SpaceAnswer, SpaceHeldOut, held_out_rules, space_answers
from training.variants.stage import bundled_model

Column = list[SpaceAnswer]


def make_space_table(variants: Sequence[str], num_stories: int, weights: Path | None = None) -> str:
    """Markdown table: a row for each rule and kind of question, a column for each variant, and what each has more than
    the first.

    Args:
        variants: names of variants of one model.
        num_stories: held-out stories to ask about.
        weights: folder with the packed weights of each; None for those in the repository.
    """
    first = SPACE_VARIANTS[variants[0]]
    reader = Reader(first.architecture.tokenizer())
    held_out = SpaceHeldOut.make(reader, bundled_model(first.bundled), num_stories)
    answers: dict[str, dict[str, Column]] = {}
    for variant in variants:
        model = model_of(variant, None if weights is None else weights / variant)
        for name, rule in held_out_rules(SPACE_VARIANTS[variant].positions).items():
            answers.setdefault(name, {})[variant] = space_answers(reader, model, held_out, rule)
    head = ["kept by", "question", *variants, *(f"{other} less {variants[0]}" for other in variants[1:])]
    rows = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for name, columns in answers.items():
        for task in ("all", *SPACE_KINDS):
            cells = [_of(task, columns[variant]) for variant in variants]
            words = [name, f"{task} ({len(cells[0])})", *map(_accuracy, cells)]
            rows.append(f"| {' | '.join([*words, *(_more(other, cells[0]) for other in cells[1:])])} |")
    return "\n".join(rows) + "\n"


def _of(task: str, answers: Column) -> Column:
    return [one for one in answers if task in ("all", one.task)]


def _accuracy(answers: Column) -> str:
    by_story: dict[str, list[float]] = {}
    for one in answers:
        by_story.setdefault(str(one.story), []).append(float(one.is_right))
    interval = accuracy_interval(by_story)
    return f"{interval.mean:.1%} [{interval.low:.0%}, {interval.high:.0%}]"


def _more(other: Column, first: Column) -> str:
    found = paired_difference(
        [float(one.is_right) for one in other],
        [float(one.is_right) for one in first],
        [str(one.story) for one in first],
    )
    return f"{found.mean:+.1%} [{found.low:+.0%}, {found.high:+.0%}], p {found.p_clustered:.3f}"
