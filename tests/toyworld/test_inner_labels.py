import math
import random
import re
from collections import defaultdict
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from keepsight.toyworld.captions import clip_spans, true_caption, true_captions
from keepsight.toyworld.questions import ask
from keepsight.toyworld.simulate import make_story
from keepsight.toyworld.story import DIFFICULTIES, Kind
from keepsight.toyworld.vocabulary import NOUNS, PLACES
from training.clip_labels import clip_labels, entering_cells, memory_labels
from training.encoded_stories import frame_times
from training.inner_heads import ASKED_DEPTHS, DEPTHS, FREQUENT, RARE_WEIGHT, SHARES, InnerHeads
from training.inner_labels import ANSWERS, InnerLabel
from training.moments import SHAPE_WORDS, label_story
from training.packing import Branch, Packed
from training.reading import Reader, journal_item

CELLS = 9


def by_position(labels: tuple[InnerLabel, ...] | list[InnerLabel]) -> dict[int, dict[str, str]]:
    said: dict[int, dict[str, str]] = defaultdict(dict)
    for label in labels:
        assert label.kind not in said[label.position], "one answer of a kind for each token"
        said[label.position][label.kind] = ANSWERS[label.kind][label.answer]
    return said


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), difficulty=st.sampled_from(sorted(DIFFICULTIES)), since_start=st.booleans())
def test_a_clip_s_tokens_tell_what_its_caption_says_and_no_sooner(
    seed: int, difficulty: str, since_start: bool
) -> None:
    story = make_story(seed, 4, DIFFICULTIES[difficulty])
    span = clip_spans(story.duration_seconds, story.difficulty.beat_seconds)[3]
    truth = true_caption(story, span, 0.0 if since_start else span.start_seconds)
    times = frame_times(span)
    said = by_position(clip_labels(story, truth, times, 0))
    assert [answers.pop("when") for _, answers in sorted(said.items())] == ["now"] * (len(times) * CELLS)
    for position, answers in said.items():
        if not answers:
            continue
        seconds, cell = times[position // CELLS], position % CELLS
        shapes = label_story(story, seconds)[0][cell]
        clause = next(c for c in truth.clauses if c.noun == answers["who"] and _fits(c.verb, answers.get("deed")))
        happening = clause.event is not None and seconds >= clause.event.start_seconds
        assert happening == ("turn" in answers or "deed" not in answers)
        if not happening:
            assert answers["deed"] == "stays"
            words = ("empty", "closed") if clause.noun == "box" else (clause.noun,)
            assert sum(shapes[SHAPE_WORDS.index(word)] for word in words) > 0, "it is to be seen there"
        elif "turn" in answers:
            assert truth.clauses[int(answers["turn"])] == clause
    last = [answers for position, answers in said.items() if answers and position // CELLS == 15]
    for clause in truth.clauses:
        if clause.event is None or clause.event.end_seconds < times[-1]:
            told = [a for a in last if a["who"] == clause.noun and a.get("deed") == clause.verb]
            covered = clause.event is not None and clause.event.kind in (Kind.LEAVE, Kind.BOX_LEAVES, Kind.VISIT)
            assert told or covered, f"{clause.text} is told at the end"


def _fits(verb: str, deed: str | None) -> bool:
    return deed in (None, "stays", verb) or verb.startswith(f"{deed} and")


def test_only_memory_makes_a_thing_return_and_a_closed_box_known() -> None:
    answers_of: dict[bool, set[str]] = {True: set(), False: set()}
    for seed in range(40):
        story = make_story(seed, 8, DIFFICULTIES["default"])
        span = clip_spans(story.duration_seconds, 32.0)[7]
        for remembers in (True, False):
            truth = true_caption(story, span, 0.0 if remembers else span.start_seconds)
            for answers in by_position(clip_labels(story, truth, frame_times(span), 0)).values():
                answers_of[remembers] |= {answers.get("deed", "")}
                if answers.get("who") == "box" and "content" in answers:
                    answers_of[remembers] |= {"known" if answers["content"] in NOUNS else "unknown"}
    assert {"returns", "known"} <= answers_of[True]
    assert "returns" not in answers_of[False]
    assert "unknown" in answers_of[False]


def test_remembered_tokens_are_from_before_and_show_what_went_into_a_box() -> None:
    found = 0
    for seed in range(30):
        story = make_story(seed, 4, DIFFICULTIES["default"])
        for event in story.events:
            for tenths in range(0, int(10 * (event.end_seconds - event.start_seconds)), 10):
                seconds = event.start_seconds + tenths / 10
                showing = entering_cells(story, seconds)
                shapes = label_story(story, seconds)[0]
                for cell, noun in showing.items():
                    assert shapes[cell][SHAPE_WORDS.index(noun)] > 0, "the thing is to be seen there"
                    entries = [e for e in story.events if e.kind == Kind.ENTER_BOX and e.thing and e.thing.noun == noun]
                    assert any(e.middle_seconds <= seconds < e.end_seconds for e in entries)
                found += bool(showing)
    assert found > 20
    labels = by_position(memory_labels({(2, 5): "cat"}, [(1, 5), (2, 4), (2, 5)], 10))
    assert labels == {10: {"when": "before"}, 11: {"when": "before"}, 12: {"when": "before", "content": "cat"}}


def test_a_closed_box_in_a_caption_knows_its_content() -> None:
    reader, known = Reader(), set()
    for seed in range(30):
        story = make_story(seed, 8, DIFFICULTIES["default"])
        spans = clip_spans(story.duration_seconds, 32.0)
        for since in (0.0, spans[7].start_seconds):
            branch = reader.caption_branch(true_caption(story, spans[7], since))
            words = words_of(reader, branch)
            for position, answers in by_position(branch.labels).items():
                if "content" in answers:
                    assert words[position - 1 : position + 1] == ["closed", "box"]
                    told = words[position + 2 :] if words[position + 1] == "with" else ["unknown"]
                    assert answers["content"] == next(word for word in told if word in (*NOUNS, "unknown"))
                    known.add(answers["content"])
    assert "unknown" in known
    assert len(known) > 3


@pytest.mark.parametrize("seed", range(8))
def test_a_journal_s_tokens_bind_thing_place_and_verb(seed: int) -> None:
    reader = Reader()
    packed, _ = journal_item(reader, random.Random(seed), 12, 3, fewest=6)
    tokens = reader.tokenizer.convert_ids_to_tokens(list(packed.prefix_ids))
    said = by_position(packed.labels)
    seen: list[str] = []
    place = ""
    comings: defaultdict[str, int] = defaultdict(int)
    first_line = packed.prefix_ids[: packed.labels[0].position].count(reader.ids("\n")[0])
    for position, token in enumerate(tokens):
        word = token.removeprefix("▁")
        if word in PLACES and position > 30:
            place = word
        answers = said.get(position, {})
        place = "" if token == "\n" else place
        assert answers.get("place", "") == place
        if "deed" not in answers:
            continue
        assert token in (",", ".")
        assert int(answers["line"]) == tokens[:position].count("\n") - first_line
        start = max(index for index in range(position) if tokens[index] in (",", ":"))
        clause = [one.removeprefix("▁") for one in tokens[start + 1 : position]]
        assert " ".join(clause).endswith(answers["deed"])
        assert answers["who"] in clause
        if answers["who"] == "box":
            assert "mentions" not in answers
            continue
        if "colour" in answers:
            assert answers["colour"] in clause
        comings[answers["who"]] += clause[-1] in ("arrives", "returns") or "and" in clause
        assert int(answers["mentions"]) == min(seen.count(answers["who"]), 4)
        assert int(answers["comings"]) == min(comings[answers["who"]], 4)
        seen.append(answers["who"])
    assert len(seen) > 5


@pytest.mark.parametrize("seed", range(8))
def test_a_question_s_noun_knows_what_the_captions_say_of_it(seed: int) -> None:
    story = make_story(seed, 9, DIFFICULTIES["default"])
    captions = true_captions(story, clip_spans(story.duration_seconds, 32.0))
    noun = random.Random(seed).choice([c.noun for caption in captions for c in caption.clauses if c.thing])
    told = " ; ".join(f"{caption.place} {caption.text}" for caption in captions)
    branch = Reader().question_branch(f"Which came first, the {noun} or the {noun}?", "x", captions, before="\n")
    said = by_position(branch.labels)
    words = Reader().tokenizer.convert_ids_to_tokens(list(branch.prompt_ids))
    assert [words[position] for position in said] == [f"▁{noun}"] * 2
    assert {answers.pop("compared", None) for answers in said.values()} == {None}, "a thing is no sooner than itself"
    for answers in said.values():
        clauses = re.findall(rf"\b{noun} ([a-z ]+)[,.]", re.sub(r"with the (\w+ )?\w+ ", "", told))
        assert (answers["first deed"], answers["deed"]) == (clauses[0], clauses[-1])
        lines = [re.sub(r"with the (\w+ )?\w+ ", "", caption.text) for caption in captions]
        assert int(answers["first line"]) == next(at for at, line in enumerate(lines) if f" {noun} " in line)
        assert int(answers["mentions"]) == min(len(clauses), 4)
        assert int(answers["comings"]) == min(sum("arrives" in one or "returns" in one for one in clauses), 4)
        mention = max(
            index
            for index, caption in enumerate(captions)
            if f"{noun} " in re.sub(r"with the (\w+ )?\w+ ", "", caption.text)
        )
        assert answers["place"] == captions[mention].place
    absent = next(noun for noun in NOUNS if noun not in told)
    (only,) = by_position(Reader().question_branch(f"Was there {absent}?", "no", captions).labels).values()
    assert only == {"mentions": "0"}


@pytest.mark.parametrize("seed", range(8))
def test_a_caption_in_writing_knows_its_next_clause(seed: int) -> None:
    story = make_story(seed, 9, DIFFICULTIES["default"])
    reader = Reader()
    for truth in true_captions(story, clip_spans(story.duration_seconds, 32.0)):
        branch = reader.caption_branch(truth)
        words = words_of(reader, branch)
        planned = {at: one for at, one in by_position(branch.labels).items() if "next" in one}
        assert sum(words[at] in (":", ",") for at in planned) == len(truth.clauses)
        for position, answers in planned.items():
            told = " ".join(words[position + 1 :])
            clause = told.split(" ,")[0].split(" .")[0].removeprefix("the ")
            first = next(word for word in clause.split() if word in (*NOUNS, "box"))
            assert (answers["next"], clause.endswith(answers["next deed"])) == (first, True), (words, position)


@pytest.mark.parametrize("seed", range(8))
def test_the_second_of_two_things_knows_which_was_told_of_first(seed: int) -> None:
    story = make_story(seed, 9, DIFFICULTIES["default"])
    captions = true_captions(story, clip_spans(story.duration_seconds, 32.0))
    rng, reader, known = random.Random(seed), Reader(), set()
    asked = [question for question in (ask(captions, "order", rng) for _ in range(12)) if question]
    for question in asked:
        branch = reader.question_branch(question.question, question.answer, captions)
        words = words_of(reader, branch)
        first, second = words[words.index("or") - 1], words[words.index("?") - 1]
        right_is_second = question.answer.split()[-1] == second
        sooner = right_is_second == ("first" in question.question)
        said = {at: one["compared"] for at, one in by_position(branch.labels).items() if "compared" in one}
        mark = words.index("?")
        assert said == {mark - 1: said[mark], mark: "sooner" if sooner else "later"}, (first, second)
        known.add(said[mark])
    assert known <= {"sooner", "later"}
    assert asked


@pytest.mark.parametrize(
    ("question", "answer", "planned"),
    [
        ("Which came first, the owl or the dog?", "the dog", "? next=dog, \n next=dog, the next=dog"),
        ("Where is the owl?", "on the beach", "? place=beach, \n place=beach, on place=beach, the place=beach"),
        ("What did the owl do last?", "moves left", "? next deed=moves left, \n next deed=moves left"),
        (
            "What is there now?",
            "an owl and a red car",
            "? next=owl, \n next=owl, an next=owl, and next=car, a next=car, red next=car",
        ),
        ("What is there now?", "nothing", ""),
        ("Did the owl leave?", "yes", ""),
    ],
)
def test_a_reply_knows_what_it_is_about_to_say(question: str, answer: str, planned: str) -> None:
    reader = Reader()
    branch = reader.question_branch(question, answer)
    words = words_of(reader, branch)
    found = [
        f"{words[at]} {kind}={said}"
        for at, answers in sorted(by_position(branch.labels).items())
        for kind, said in answers.items()
    ]
    assert ", ".join(found) == planned


def words_of(reader: Reader, branch: Branch) -> list[str]:
    tokens = reader.tokenizer.convert_ids_to_tokens([*branch.prompt_ids, *branch.reply_ids])
    return [token.removeprefix("▁") for token in tokens]


def test_the_heads_loss_is_the_weighted_cross_entropy_of_the_labels() -> None:
    torch.manual_seed(0)
    heads = InnerHeads(8)
    states = [torch.randn(2, 7, 8) for _ in range(7)]
    first = (InnerLabel(0, "deed", 0), InnerLabel(3, "deed", 2), InnerLabel(3, "who", 5))
    second = (InnerLabel(4, "deed", 0),)
    asked = InnerLabel(0, "place", 2)
    branches = Branch((1,), (1,)), Branch((1,), (1,), (asked,))
    sequences = [Packed((1,) * 5, branches[:1], labels=first), Packed((1,) * 4, branches, labels=second)]
    loss, figures = heads.loss(states, sequences)
    weights = (FREQUENT["stays"], RARE_WEIGHT, FREQUENT["stays"])
    expected = 0.0
    for state in (states[depth] for depth in DEPTHS):
        staying, arriving, who = (_surprise(heads, state[0, label.position], label) for label in first)
        deeds = (staying, arriving, _surprise(heads, state[1, 4], second[0]))
        deed = sum(w * one for w, one in zip(weights, deeds, strict=True)) / sum(weights)
        expected += (SHARES["deed"] * deed + SHARES["who"] * who) / len(DEPTHS)
    for depth in ASKED_DEPTHS:  # the second branch of the second sequence begins at 4 + 2
        expected += SHARES["place"] * _surprise(heads, states[depth][1, 6], asked) / len(ASKED_DEPTHS)
    assert loss.item() == pytest.approx(expected, rel=1e-4)
    assert set(figures) == {"deed", "who", "asked place"}
    nothing, figures = heads.loss(states, [Packed((1,) * 5, (Branch((1,), (1,)),))] * 2)
    assert nothing.item() == 0
    assert figures == {}


def _surprise(heads: InnerHeads, state: torch.Tensor, label: InnerLabel) -> float:
    normed = state / math.sqrt(float(state.square().mean()) + torch.finfo(torch.float32).eps)
    head: Any = heads[label.kind]
    scores = (head.weight @ normed + head.bias).tolist()
    return math.log(sum(math.exp(score) for score in scores)) - scores[label.answer]
