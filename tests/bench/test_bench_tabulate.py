"""Tables and curves against shares counted by hand, and gaps of memory against captions made with each memory."""

import random
import re
import statistics
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from keepsight.bench.datasets.toyworld import ToySource, ToyWorldSettings, make_toyworld
from keepsight.bench.experiments import EXPERIMENTS, ON_REQUEST, Experiment, Plot, make_experiments
from keepsight.bench.methods import make_method
from keepsight.bench.over_time import accuracy_by_age, accuracy_by_gap, accuracy_by_length, latency_by_age
from keepsight.bench.records import DataSet, Question, Video
from keepsight.bench.results import CaptionedClip, Prediction, Results
from keepsight.bench.statistics import accuracy_interval, paired_difference
from keepsight.bench.tabulate import (
    Scored,
    curve_over_groups,
    make_curves,
    make_table,
    scored_answers,
    too_few_videos_note,
)
from keepsight.bench.toy_captions import EVENTS, PAST, past_clauses, past_scores, scored_captions
from keepsight.errors import SettingError
from keepsight.method.protocol import ModelInfo
from keepsight.spans import Span
from keepsight.toyworld.captions import clip_spans, true_captions

RIGHT = {"q1": "yes", "q2": "No.", "q3": "the sink", "q4": "yes, twice"}
VIDEO_OF = {"q1": "kitchen", "q2": "kitchen", "q3": "bath", "q4": "bath"}
TASK_OF = {"q1": "seen", "q2": "seen", "q3": "where", "q4": "how many"}


def prediction(method: str, question_id: str, score: float | None, **values: object) -> Prediction:
    return Prediction(
        method,
        VIDEO_OF.get(question_id, "hall"),
        question_id,
        TASK_OF.get(question_id, "where"),
        "?",
        RIGHT.get(question_id, "here"),
        "!",
        score,
        **values,  # type: ignore[arg-type]
    )


SCORES: dict[str, dict[str, float | None]] = {
    "ours": {"q1": 1.0, "q2": 1.0, "q3": 0.0, "q4": 0.5},
    "blind": {"q1": 1.0, "q2": 0.0, "q3": 0.0, "q4": None},
    "mute": dict.fromkeys(RIGHT),
}
EXPERIMENT = Experiment("small", "Small", {"Ours": "ours", "Blind": "blind", "Mute": "mute"}, "Ours")


def answers_of(method: str) -> list[Prediction]:
    return [prediction(method, name, score) for name, score in SCORES[method].items()]


def test_shares_and_differences_are_those_counted_by_hand() -> None:
    table = make_table(EXPERIMENT, "Title", "caption", lambda method: scored_answers(answers_of(method)), seed=4)
    assert (table.title, table.caption, table.reference) == ("Title", "caption", "Ours")
    assert table.columns == ("all", "yes/no", "other")
    ours, blind = table.rows  # a method without a score has no row
    assert {column: cell.value for column, cell in ours.cells.items()} == {"all": 0.625, "yes/no": 1.0, "other": 0.25}
    assert blind.cells["all"].value == pytest.approx(1 / 3)
    assert (blind.cells["yes/no"].value, blind.cells["other"].value) == (0.5, 0.0)
    assert (ours.num_questions, blind.num_questions) == (4, 3)
    assert (ours.difference, ours.p_value, ours.inside_noise) == (None, None, None)
    # Only what both were scored on: q1, q2 and q3, of which q2 is one right answer less.
    assert blind.difference is not None
    assert blind.difference.value == pytest.approx(-1 / 3)


def test_intervals_have_videos_for_clusters() -> None:
    table = make_table(EXPERIMENT, "Title", "", lambda method: scored_answers(answers_of(method)), seed=4)
    ours, blind = table.rows
    interval = accuracy_interval({"kitchen": [1.0, 1.0], "bath": [0.0, 0.5]}, seed=4)
    assert ours.cells["all"].interval == (interval.low, interval.high)
    difference = paired_difference([1, 0, 0], [1, 1, 0], ["kitchen", "kitchen", "bath"], seed=4)
    assert blind.difference is not None
    assert blind.difference.interval == (difference.low, difference.high)
    assert (blind.p_value, blind.inside_noise) == (difference.p_clustered, not difference.is_real())
    assert blind.p_corrected == blind.p_value  # "mute" was compared with nothing, so this is the only comparison


def flawless_and_worse(num_videos: int, num_worse: int) -> dict[str, list[Scored]]:
    """A flawless method, and worse ones: one misses 5 of 10 questions of each video, the next of all but one."""
    cases = {"ours": [Scored(f"{video}/{q}", str(video), 1.0) for video in range(num_videos) for q in range(10)]}
    for place in range(num_worse):
        cases[f"worse {place}"] = [
            Scored(f"{video}/{q}", str(video), float(video < place or q < 5))
            for video in range(num_videos)
            for q in range(10)
        ]
    return cases


def test_p_is_corrected_for_the_comparisons_of_a_table() -> None:
    """10 videos: p is 2 / 2^n for n videos on one side, times 4, 3, 2 and 1 by rank."""
    cases = flawless_and_worse(10, 4)
    experiment = Experiment("small", "Small", {name: name for name in cases}, "ours")
    table = make_table(experiment, "", "", lambda method: cases[method])
    rows = table.rows[1:]
    assert [row.p_value for row in rows] == pytest.approx([2 / 2**10, 2 / 2**9, 2 / 2**8, 2 / 2**7])
    assert [row.p_corrected for row in rows] == pytest.approx([8 / 2**10, 6 / 2**9, 4 / 2**8, 2 / 2**7])
    assert [row.inside_noise for row in rows] == [False] * 4
    assert table.test == (
        "p: exact sign-flip test over 10 videos; p Holm: corrected for the 4 comparisons of this table."
    )


def test_a_difference_needs_more_than_its_interval() -> None:
    """6 videos, all on one side: an interval far from 0, p .03, but .06 as the better of two comparisons."""
    cases = flawless_and_worse(6, 2)
    experiment = Experiment("small", "Small", {name: name for name in cases}, "ours")
    first = make_table(experiment, "", "", lambda method: cases[method]).rows[1]
    assert first.difference is not None
    assert first.difference.high is not None
    assert first.difference.high < -0.3
    assert (first.p_value, first.p_corrected, first.inside_noise) == (2 / 2**6, 4 / 2**6, True)
    alone = Experiment("small", "Small", {name: name for name in ("ours", "worse 0")}, "ours")
    table = make_table(alone, "", "", lambda method: cases[method])
    assert table.rows[1].inside_noise is False
    assert table.test == "p: exact sign-flip test over 6 videos."
    few = make_table(experiment, "", "", lambda method: [case for case in cases[method] if case.video_id < "3"])
    assert few.test.endswith("comparisons of this table, for which 7 videos are needed to be below 0.05.")


@pytest.mark.parametrize("num_videos", [1, 5, 6, 7, 8, 9, 12])
def test_too_few_videos_are_those_with_which_even_the_largest_difference_is_noise(num_videos: int) -> None:
    """Of every experiment, and of tables of one and of two comparisons: one method always right, the others never."""
    small = tuple(
        Experiment(name, name, {row: row for row in rows.split()}, "a")
        for name, rows in (("one", "a b"), ("two", "a b c"))
    )
    lost = set()
    for experiment in (everything := (*make_experiments((), TINY), *small)):

        def cases_of(method: str, reference: str = experiment.rows[experiment.reference]) -> list[Scored]:
            return [Scored(f"{video}", f"{video}", float(method == reference)) for video in range(num_videos)]

        if all(row.inside_noise is not False for row in make_table(experiment, "", "", cases_of).rows):
            lost.add(experiment.name)
    note = too_few_videos_note(everything, num_videos) or ""
    assert set(re.findall(r"(\S+) needs \d+ \(\d+ comparisons?\)", note)) == lost
    assert ("one" in lost, "two" in lost, "overview" in lost) == (num_videos < 6, num_videos < 7, num_videos < 9)


def test_the_note_on_too_few_videos_says_how_many_are_needed() -> None:
    two, alone = (Experiment(name, name, {row: row for row in name}, name[0]) for name in ("ab", "c"))
    assert too_few_videos_note((two, alone), 1) == (
        "1 video is too few for any difference in answers to have a corrected p below 0.05: ab needs 6 (1 comparison)"
    )
    assert too_few_videos_note((two, alone), 6) is None
    assert too_few_videos_note((alone,), 1) is None


def test_answers_by_task() -> None:
    answers = [*answers_of("ours"), prediction("ours", "q5", 1.0)]
    table = make_table(EXPERIMENT, "", "", lambda method: scored_answers(answers, by_task=True))
    assert table.columns == ("all", "seen", "where", "how many")
    assert {column: cell.value for column, cell in table.rows[0].cells.items()} == {
        "all": 0.7,
        "seen": 1.0,
        "where": 0.5,
        "how many": 0.5,
    }


def test_questions_without_a_task_have_no_column() -> None:
    answers = [Prediction("ours", "v", "q", "", "?", "here", "!", 1.0)]
    table = make_table(EXPERIMENT, "", "", lambda method: scored_answers(answers, by_task=True))
    assert table.columns == ("all",)


@pytest.mark.parametrize("right", ["yes", "No", " YES. ", "no."])
def test_a_right_answer_of_yes_or_no(right: str) -> None:
    (scored,) = scored_answers([Prediction("m", "v", "q", "", "?", right, "!", 1.0)])
    assert scored.columns == ("yes/no",)


@pytest.mark.parametrize("right", ["yes, it is", "nothing", "none", ""])
def test_any_other_right_answer(right: str) -> None:
    (scored,) = scored_answers([Prediction("m", "v", "q", "", "?", right, "!", 1.0)])
    assert scored.columns == ("other",)


def test_without_answers_there_is_a_table_without_rows() -> None:
    table = make_table(EXPERIMENT, "", "", lambda method: [])
    assert (table.columns, table.rows, table.reference) == (("all",), (), None)


def test_without_common_cases_there_is_no_difference() -> None:
    cases = {"ours": [Scored("a", "v", 1.0)], "blind": [Scored("b", "v", 0.0)], "mute": [Scored("a", "v", 1.0)]}
    table = make_table(EXPERIMENT, "", "", lambda method: cases[method])
    assert [row.difference is None for row in table.rows] == [True, True, False]


def test_rows_that_repeat_another_one_can_be_left_out() -> None:
    cases = {"ours": [Scored("a", "v", 1.0)], "blind": [Scored("a", "v", 0.0)], "mute": [Scored("a", "v", 1.0)]}
    experiment = Experiment("small", "Small", {"Mute": "mute", "Ours": "ours", "Blind": "blind"}, "Ours")
    table = make_table(experiment, "", "", lambda method: cases[method], distinct=True)
    assert [row.method for row in table.rows] == ["Ours", "Blind"]


def test_columns_that_are_different_things_are_not_added_up() -> None:
    cases = [Scored("a", "v", 1.0, ("one",)), Scored("b", "v", 0.0, ("other",)), Scored("c", "v", 1.0, ("other",))]
    table = make_table(EXPERIMENT, "", "", lambda method: cases, compare=False)
    assert table.columns == ("one", "other")
    assert table.reference is None
    for row in table.rows:
        assert {column: cell.value for column, cell in row.cells.items()} == {"one": 1.0, "other": 0.5}
        assert row.difference is None


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from([0.0, 0.5, 1.0]), st.sampled_from(["x", "y"])), min_size=1
    )
)
@examples(max_examples=40)
def test_a_table_of_any_scores_has_their_means(drawn: list[tuple[str, float, str]]) -> None:
    cases = [Scored(str(place), video, score, (column,)) for place, (video, score, column) in enumerate(drawn)]
    table = make_table(EXPERIMENT, "", "", lambda method: cases)
    for row in table.rows:
        assert row.cells["all"].value == pytest.approx(statistics.mean(case.score for case in cases))
        for column in table.columns[1:]:
            assert row.cells[column].value == pytest.approx(
                statistics.mean(case.score for case in cases if case.columns == (column,))
            )
        assert row.difference is None or row.difference.value == 0
        assert row.inside_noise is not False


def test_curves_follow_the_plot() -> None:
    cases = {"m1": [Scored("a", "v", 1.0)], "m2": [Scored("a", "v", 0.0)], "m3": []}
    rows = {"one": "m1", "two": "m2", "three": "m3"}
    plot = Plot(
        "size", {"first": ((1.0, "one"), (2.0, "three"), (4.0, "two")), "gone": ((1.0, "three"), (2.0, "nobody"))}
    )
    table = make_table(Experiment("s", "S", rows, "one", plot), "", "", lambda method: cases[method])
    (curve,) = make_curves(plot, table)
    assert (curve.label, curve.x, curve.y) == ("first", (1.0, 4.0), (1.0, 0.0))
    by_name = {row.method: row for row in table.rows}
    assert curve.low == (by_name["one"].cells["all"].low, by_name["two"].cells["all"].low)
    assert make_curves(plot, table, "another column") == []


def test_a_curve_over_groups_has_the_groups_means() -> None:
    groups = {
        4.0: [Scored("a", "v", 1.0), Scored("b", "w", 0.0)],
        1.0: [Scored("c", "v", 1.0)],
        2.0: [],
    }
    curve = curve_over_groups("ours", groups)
    assert curve is not None
    assert (curve.x, curve.y) == ((1.0, 4.0), (1.0, 0.5))
    assert curve_over_groups("ours", {1.0: []}) is None


def results_of(predictions: list[Prediction], clips: list[CaptionedClip] | None = None) -> Results:
    return Results("d", "", "exact", {"ours": ""}, {}, tuple(predictions), tuple(clips or ()))


def test_few_ages_have_a_point_each() -> None:
    ages = [0, 0, 60, 60, 60, 600]
    scores = [1.0, 0.0, 1.0, 1.0, 0.0, 0.0]
    answers = [
        prediction("ours", f"q{place}", score, age_seconds=float(age))
        for place, (age, score) in enumerate(zip(ages, scores, strict=True))
    ]
    answers += [prediction("ours", "x", 1.0), prediction("ours", "y", None, age_seconds=60.0)]
    answers += [prediction("other", "q0", 1.0, age_seconds=0.0)]
    (curve,) = accuracy_by_age(results_of(answers), {"Ours": "ours", "Nobody": "nobody"}, seed=0)
    assert curve.label == "Ours"
    assert curve.x == (0.0, 1.0, 10.0)
    assert curve.y == pytest.approx((0.5, 2 / 3, 0.0))


def test_many_ages_are_put_into_groups_of_equal_size() -> None:
    rng = random.Random(0)
    ages = [60.0 * number for number in range(100)]
    rng.shuffle(ages)
    answers = [
        prediction("ours", f"q{place}", float(age >= 60 * 60), age_seconds=age, ask_seconds=age)
        for place, age in enumerate(ages)
    ]
    for make in (accuracy_by_age, accuracy_by_length):
        (curve,) = make(results_of(answers), {"Ours": "ours"}, 0)
        assert curve.x == (10, 30, 50, 70, 90)
        assert curve.y == (0, 0, 0, 1, 1)


def test_latency_is_a_median_with_quartiles() -> None:
    answers = [
        prediction("ours", f"q{place}", None, ask_seconds=60.0 * minute, answer_seconds=seconds)
        for minute, times in ((1, [5.0, 1.0, 3.0, 2.0, 4.0]), (2, [7.0]))
        for place, seconds in enumerate(times)
    ]
    answers.append(prediction("ours", "end", 1.0, answer_seconds=99.0))  # asked after the whole video
    (curve,) = latency_by_age(results_of(answers), {"Ours": "ours"})
    assert (curve.x, curve.y, curve.low, curve.high) == ((1, 2), (3, 7), (2, 7), (4, 7))


SOURCE = ToySource(60_029, 24, "hard")
"""In this video a clause reaches back 16 clips, one 17, and one of the last, shorter, clip of 100 s more than one."""

DATA = DataSet("toys", (Video("toy", SOURCE, (Question("q", "Where?", "here"),)),), "exact")


def clips_of(clip_seconds: float, texts: list[str], method: str = "ours") -> list[CaptionedClip]:
    spans = clip_spans(SOURCE.story.duration_seconds, clip_seconds)
    return [
        CaptionedClip(method, "toy", index, span.start_seconds, span.end_seconds, text, 4, 36, (0,), 0.0)
        for index, (span, text) in enumerate(zip(spans, texts, strict=True))
    ]


def spans_of(clip_seconds: float) -> list[Span]:
    return clip_spans(SOURCE.story.duration_seconds, clip_seconds)


@pytest.mark.parametrize("clip_seconds", [32.0, 16.0, 100.0])
def test_the_gap_is_the_shortest_memory_with_which_the_clause_is_true(clip_seconds: float) -> None:
    """Against captions made for a watcher of each memory. 100 s leave a last clip of 40 s."""
    spans = spans_of(clip_seconds)
    by_memory = [
        [{clause.text for clause in caption.clauses if clause.needs_past} for caption in captions]
        for captions in (true_captions(SOURCE.story, spans, memory) for memory in range(17))
    ]
    expected = sorted(
        (f"toy/{span.start_seconds}-{span.end_seconds}/{text}", gap)
        for index, span in enumerate(spans)
        for text in by_memory[16][index]
        for gap in [next(memory for memory in range(17) if text in by_memory[memory][index])]
    )
    found = past_clauses(DATA, clips_of(clip_seconds, ["" for _ in spans]))
    assert sorted((clause.scored.case, clause.gap_clips) for clause in found) == expected
    assert len({gap for _, gap in expected}) > 3
    assert clip_seconds != 32 or max(gap for _, gap in expected) == 16


def test_gaps_without_a_limit_are_told_up_to_64_clips() -> None:
    source = ToySource(60_001, 50, "long-gaps")
    data = DataSet("toys", (Video("toy", source, DATA.videos[0].questions),), "exact")
    clips = [
        CaptionedClip("ours", "toy", index, span.start_seconds, span.end_seconds, caption.text, 16, 144, (0,), 0.0)
        for index, (span, caption) in enumerate((caption.span, caption) for caption in source.captions)
    ]
    scored = past_scores(data, clips)
    assert {case.score for case in scored} == {1.0}
    far = Counter(case.columns for case in scored if "returns" in case.case)
    assert set(far) == {("17-32 clips back",), ("33-64 clips back",)}


def test_true_captions_are_right_and_those_of_a_short_memory_lack_what_is_far() -> None:
    spans = spans_of(32.0)
    for memory in (16, 0, 3):
        texts = [caption.text for caption in true_captions(SOURCE.story, spans, memory)]
        clauses = past_clauses(DATA, clips_of(32.0, texts))
        assert len(clauses) > 10
        for clause in clauses:
            assert clause.scored.score == (clause.gap_clips <= memory)
        (curve,) = accuracy_by_gap(DATA, results_of([], clips_of(32.0, texts)), {"Ours": "ours"}, 0)
        assert curve.y == tuple(float(x <= memory) for x in curve.x)
        assert set(curve.x) <= {1, 2, 3, 4, 6, 8, 12, 16}


def test_captions_are_scored_clause_by_clause() -> None:
    spans = spans_of(32.0)
    truth = true_captions(SOURCE.story, spans)
    all_right = scored_captions(DATA, clips_of(32.0, [caption.text for caption in truth]))
    assert {case.score for case in all_right} == {1.0}
    by_column = Counter(case.columns for case in all_right)
    told = [clause for caption in truth for clause in caption.clauses]
    assert by_column[(PAST,)] == sum(clause.needs_past for clause in told)
    assert by_column[(EVENTS,)] == sum(not c.needs_past and not c.verb.startswith("stays") for c in told)
    # Another place, and the first clause missing: one case wrong where that one counts.
    place, index = "in the cellar: ", next(i for i, c in enumerate(truth) if len(c.clauses) > 1 and c.clauses[0].event)
    texts = [caption.text for caption in truth]
    texts[index] = place + ", ".join(clause.text for clause in truth[index].clauses[1:]) + "."
    cases = scored_captions(DATA, clips_of(32.0, texts))
    wrong = [case.case for case in cases if not case.score]
    assert wrong == [f"toy/{spans[index].start_seconds}-{spans[index].end_seconds}/{truth[index].clauses[0].text}"]
    past = past_scores(DATA, clips_of(32.0, texts))
    assert {(case.case, case.score) for case in past} == {
        (case.case, case.score) for case in cases if case.columns == (PAST,)
    }
    gaps = {clause.scored.case: clause.gap_clips for clause in past_clauses(DATA, clips_of(32.0, texts))}
    for case in past:
        (column,) = case.columns
        fewest, most = column.removesuffix(" clips back").split("-")
        assert int(fewest) <= gaps[case.case] <= int(most)


def test_clips_of_another_length_are_other_cases() -> None:
    texts = {
        seconds: [caption.text for caption in true_captions(SOURCE.story, spans_of(seconds))] for seconds in (16, 32)
    }
    cases = {seconds: scored_captions(DATA, clips_of(seconds, listed)) for seconds, listed in texts.items()}
    assert not {case.case for case in cases[16]} & {case.case for case in cases[32]}


def test_what_is_true_of_other_videos_is_not_known() -> None:
    stranger = CaptionedClip("ours", "a film", 0, 0.0, 32.0, "a dog.", 4, 36, (0,), 0.0)
    assert scored_captions(DATA, [stranger]) == []
    assert past_clauses(DATA, [stranger]) == []
    assert accuracy_by_gap(DATA, results_of([], [stranger]), {"Ours": "ours"}, 0) == []


TINY = ModelInfo("tiny", "A", 1, "cpu", "float32", 1, 8, 1024, (96, 96), (3, 3), (1, 2))
LARGE = ModelInfo("large", "A", 1, "cpu", "float32", 1, 8, 32_768, (384, 384), (14, 14), (3, 4, 5))


@pytest.mark.parametrize("info", [TINY, LARGE], ids=lambda info: info.name)
def test_every_row_of_every_experiment_is_a_method(info: ModelInfo) -> None:
    for experiment in make_experiments((), info):
        assert experiment.reference in experiment.rows
        assert "blind" in experiment.rows.values()
        methods = {label: make_method(text) for label, text in experiment.rows.items()}
        assert len({repr(method) for method in methods.values()}) == len(methods)
        for points in experiment.plot.curves.values() if experiment.plot else ():
            assert {label for _, label in points} <= set(experiment.rows)
            assert [x for x, _ in points] == sorted({x for x, _ in points})


def test_experiments_by_name() -> None:
    default = [name for name in EXPERIMENTS if name not in ON_REQUEST]
    assert [each.name for each in make_experiments((), TINY)] == default
    assert [each.name for each in make_experiments(ON_REQUEST, TINY)] == list(ON_REQUEST)
    assert [each.name for each in make_experiments(("memory", "clips"), TINY)] == ["memory", "clips"]
    with pytest.raises(SettingError, match=r"experiment must be one of overview, .*, got 'everything'"):
        make_experiments(("everything",), TINY)


def test_scored_answers_of_a_toy_run_cover_every_task() -> None:
    data = make_toyworld(ToyWorldSettings(num_videos=2))
    answers = [
        Prediction("ours", video.video_id, q.question_id, q.task, q.question, q.answer, q.answer, 1.0)
        for video in data.videos
        for q in video.questions
    ]
    table = make_table(EXPERIMENT, "", "", lambda method: scored_answers(answers, by_task=True))
    assert set(table.columns) == {"all"} | {q.task for video in data.videos for q in video.questions}
    assert {cell.value for cell in table.rows[0].cells.values()} == {1.0}
