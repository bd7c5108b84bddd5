"""Rules of scoring: exact match, letters out of free replies, the official rules, and the yes-no split."""

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepsight.bench.records import Question
from keepsight.bench.results import Prediction
from keepsight.bench.scoring import SCORERS, Score, make_scorer
from keepsight.bench.scoring.choice import choice_prompt, chosen_index
from keepsight.bench.scoring.exact import token_f1
from keepsight.bench.scoring.first_letters import letter_in_lvbench, letter_in_videomme
from keepsight.bench.scoring.nextqa import GROUP_OF_TYPE, group_of, reported_type
from keepsight.bench.scoring.ovobench import TASKS_OF_GROUP
from keepsight.bench.scoring.ovobench import group_of as ovobench_group_of
from keepsight.bench.scoring.splits import is_yes_no
from keepsight.errors import DataError, SettingError

PETS = ("a cat", "the dog", "a dog and a cat", "nothing")
WORDS = st.lists(st.sampled_from(["the", "a", "dog", "red", "car", "cat"]), max_size=6).map(" ".join)


def open_question(answer: str) -> Question:
    return Question("q1", "What is there?", answer)


def pet_question(index: int) -> Question:
    return Question("q1", "What is there?", PETS[index], choices=PETS, answer_index=index)


def prediction(right: str, score: float | None) -> Prediction:
    return Prediction("m", "v", right + str(score), "t", "?", right, "said", score)


@pytest.mark.parametrize("name", SCORERS)
def test_every_rule_can_be_made_by_its_name_and_takes_an_empty_answer(name: str) -> None:
    question = open_question("yes") if name in {"exact", "judge"} else pet_question(0)
    assert make_scorer(name).score(question, "").value == 0


def test_a_rule_that_is_not_known_is_refused_with_the_names() -> None:
    with pytest.raises(SettingError, match=r"exact, choice, .*, judge, got 'bleu'"):
        make_scorer("bleu")


@pytest.mark.parametrize("score", [(-0.1, None), (1.1, None), (1, 2), (float("nan"), None)])
def test_scores_outside_their_range_are_refused(score: tuple[float, float | None]) -> None:
    with pytest.raises(DataError, match="between 0 and 1"):
        Score(*score)


@pytest.mark.parametrize("rating", [-1, 6])
def test_ratings_outside_their_range_are_refused(rating: int) -> None:
    with pytest.raises(DataError, match="between 0 and 5"):
        Score(1.0, None, rating)


def test_a_score_may_be_missing() -> None:
    assert Score(None).value is None


@pytest.mark.parametrize(
    ("given_answer", "right", "value", "f1"),
    [
        ("A dog and a red car.", "a red car and a dog", 1, 1),
        ("the red car", "a red car", 0, 1),
        ("red", "red car", 0, 2 / 3),  # precision 1, recall 1/2
        ("a dog dog dog", "dog", 0, 0.5),  # precision 1/3, recall 1
        ("cat", "dog", 0, 0),
        ("", "dog", 0, 0),
        ("the", "a", 0, 1),
    ],
)
def test_exact_match_and_f1_as_computed_by_hand(given_answer: str, right: str, value: float, f1: float) -> None:
    score = make_scorer("exact").score(open_question(right), given_answer)
    assert (score.value, score.f1) == (value, pytest.approx(f1))


@given(WORDS, WORDS)
def test_f1_is_the_harmonic_mean_of_precision_and_recall(one: str, other: str) -> None:
    ours = [word for word in one.split() if word not in ("a", "the")]
    theirs = [word for word in other.split() if word not in ("a", "the")]
    shared = sum(min(count, theirs.count(word)) for word, count in Counter(ours).items())
    if not shared:
        assert token_f1(one, other) == (not ours and not theirs)
        return
    precision, recall = shared / len(ours), shared / len(theirs)
    assert token_f1(one, other) == pytest.approx(2 * precision * recall / (precision + recall))


@pytest.mark.parametrize(
    ("reply", "index"),
    [
        ("B", 1),
        ("b", 1),
        (" (B) ", 1),
        ("B.", 1),
        ("**B**", 1),
        ("\\boxed{B}", 1),
        ("__B__", 1),
        ("'A'", 0),
        ("(A)", 0),
        ("B. the dog", 1),
        ("(b) the dog", 1),
        ("B: because of the barking", 1),
        ("B because a cat is smaller", 1),
        ("The answer is B", 1),
        ("The answer is: **B**.", 1),
        ("the correct answer is b.", 1),
        ("Answer: (A) a cat", 0),
        ("Answer:\nA", 0),
        ("The best option is option D", 3),
        ("I think it is C.", 2),
        ("I'd say the choice is A", 0),
        ("A, a cat", 0),
        ("A is right", 0),
        ("A because it purrs", 0),
        ("A dog", 1),
        ("A dog.", 1),
        ("a Dog and a CAT", 2),
        ("The answer is a dog", 1),
        ("I can see a dog there", 1),
        ("There's a dog and a cat", 2),
        ("The answer is A dog", 1),
        ("Option A dog", 1),
        ("First I saw a bird. The answer is B. No, wait, the answer is D.", 3),
        ("nothing", 3),
        ("", None),
        ("E", None),
        ("A bird", None),
        ("dogs", None),
        ("either B or C", None),
        ("cat or nothing", None),
        ("?!", None),
        ("B-movies", None),
    ],
)
def test_the_choice_that_a_reply_names(reply: str, index: int | None) -> None:
    assert chosen_index(reply, PETS) == index


@pytest.mark.parametrize(
    ("reply", "choices", "index"),
    [
        ("B", ("B", "A", "C"), 0 + 1),  # the letter as asked for, whatever the choices say
        ("D", ("C", "D"), None),
        ("A. dog", ("A. cat", "B. dog"), 0),
        ("dog", ("A. cat", "B. dog"), 1),
        ("dog", ("(A) cat", "(B) dog"), 1),
        ("3", ("2", "3", "13"), 1),
        ("It shows 13 of them", ("2", "3", "13"), 2),
        ("dog", ("dog", "dog", "cat"), None),
        ("", ("A", "B"), None),
        ("I", tuple("abcdefghi"), 8),
        ("I am not sure", tuple("123456789"), None),
        ("C. elegans", ("C. elegans", "a worm"), 0),
        ("yes", ("Yes", "No"), 0),
        ("No, it isn't", ("Yes", "No"), 1),
    ],
)
def test_unusual_choices(reply: str, choices: tuple[str, ...], index: int | None) -> None:
    assert chosen_index(reply, choices) == index


@given(
    st.integers(0, 7), st.sampled_from(["{}", "({})", "{}.", "{})", "The answer is {}", "Answer: {}.", "[{}]", "{}:"])
)
def test_every_letter_is_read_in_every_usual_form(index: int, form: str) -> None:
    choices = [f"thing number {number}" for number in range(8)]
    assert chosen_index(form.format("ABCDEFGH"[index]), choices) == index


@given(st.text(max_size=60), st.lists(st.text(max_size=8), min_size=1, max_size=26))
def test_any_reply_names_a_choice_or_none(reply: str, choices: list[str]) -> None:
    index = chosen_index(reply, choices)
    assert index is None or index in range(len(choices))


def test_prompt_letters_every_choice_on_a_line() -> None:
    prompt = choice_prompt("What is\nthere?", PETS)
    lines = prompt.split("\n")
    assert lines[:5] == ["Question: What is there?", "(A) a cat", "(B) the dog", "(C) a dog and a cat", "(D) nothing"]
    assert "letter" in lines[5]
    assert re.findall(r"\(([A-Z])\)", " ".join(prompt.split())) == list("ABCD")


def test_prompt_does_not_letter_choices_twice() -> None:
    assert "(A) cat\n(B) dog\n" in choice_prompt("What?", ["A. cat", "B. dog"])


@pytest.mark.parametrize("choices", [[], ["x"] * 27])
def test_choices_without_letters_are_refused(choices: list[str]) -> None:
    with pytest.raises(DataError, match="1 to 26 choices"):
        choice_prompt("What?", choices)
    with pytest.raises(DataError, match="1 to 26 choices"):
        chosen_index("A", choices)


def test_scoring_of_choices() -> None:
    scorer = make_scorer("choice")
    assert scorer.score(pet_question(1), "A dog") == Score(1.0)
    assert scorer.score(pet_question(0), "A dog") == Score(0.0)
    assert scorer.score(pet_question(0), "no idea") == Score(0.0)


@pytest.mark.parametrize("name", ["choice", "streamingbench", "videomme", "lvbench"])
def test_rules_about_choices_refuse_open_questions(name: str) -> None:
    with pytest.raises(DataError, match="has no choices"):
        make_scorer(name).score(open_question("dog"), "dog")


@pytest.mark.parametrize(
    ("question", "reply", "right"),
    [
        (pet_question(0), "A dog", True),  # the published rule takes the article for the letter
        (pet_question(1), "the answer is B", True),
        (pet_question(1), "b", False),
        (open_question("3"), "3", True),
        (open_question("3"), "3 times.", True),
        (open_question("3"), "3 of 5", False),  # digits are joined to 35
        (open_question("3"), "three", False),
        (open_question("Yes"), "Y", True),
        (open_question("yes"), "Yes, it is", True),
        (open_question("Yes"), "yes", False),
        (open_question("No"), "Not yet", True),
        (open_question("No"), "N", True),
        (open_question("No"), "Y", False),
    ],
)
def test_ovobench(question: Question, reply: str, right: bool) -> None:
    assert make_scorer("ovobench").score(question, reply) == Score(float(right))


@pytest.mark.parametrize(
    ("reply", "videomme", "lvbench"),
    [
        ("B", "B", "B"),
        ("  B. A map", "B", "B"),
        ("(B) A map", "B", "B"),
        ("B) A map (old)", "B", "B"),
        ("The answer is B", "B", "T"),
        ("The best answer is: (B)", "B", "B"),
        ("Answer: B", "A", "A"),  # a capital A, but no announcement that the published script knows
        ("It shows (b)", "", "b"),
        ("Nothing here names it.", "", "N"),
        ("Both are wrong", "B", "B"),
        ("B. A map (old)", "B", "o"),
        ("", "", ""),
        (")(", "", ""),
    ],
)
def test_letters_as_videomme_and_lvbench_read_them(reply: str, videomme: str, lvbench: str) -> None:
    assert (letter_in_videomme(reply), letter_in_lvbench(reply)) == (videomme, lvbench)
    assert make_scorer("videomme").score(pet_question(1), reply) == Score(float(videomme == "B"))
    assert make_scorer("lvbench").score(pet_question(1), reply) == Score(float(lvbench == "B"))


def test_ovobench_refuses_answers_that_it_has_no_rule_for() -> None:
    with pytest.raises(DataError, match="choice, yes, no or a count"):
        make_scorer("ovobench").score(open_question("a dog"), "a dog")


def test_ovobench_has_twelve_tasks_in_three_groups() -> None:
    assert {ovobench_group_of(task) for tasks in TASKS_OF_GROUP.values() for task in tasks} == set(TASKS_OF_GROUP)
    assert [len(tasks) for tasks in TASKS_OF_GROUP.values()] == [3, 6, 3]
    with pytest.raises(DataError, match="got 'XYZ'"):
        ovobench_group_of("XYZ")


@pytest.mark.parametrize(("reply", "right"), [("B", 1), ("B. dog", 1), ("\nB", 1), ("(B)", 0), ("b", 0), ("It's B", 0)])
def test_streamingbench_reads_the_first_letter_only(reply: str, right: float) -> None:
    assert make_scorer("streamingbench").score(pet_question(1), reply).value == right


def test_nextqa_reports_previous_within_next_and_both_as_temporal() -> None:
    assert "".join(group_of(kind) for kind in GROUP_OF_TYPE) == "CCTTTDDD"
    assert [reported_type(kind) for kind in ("TP", "TN", "TC", "CW")] == ["TN", "TN", "TC", "CW"]
    with pytest.raises(DataError, match="got 'XX'"):
        group_of("XX")


@pytest.mark.parametrize(
    ("answer", "is_one"),
    [("Yes", True), ("no.", True), (" yes ", True), ("No way", False), ("a dog", False), ("yes and no", False)],
)
def test_only_exactly_yes_or_no_is_a_yes_no_answer(answer: str, is_one: bool) -> None:
    assert is_yes_no(answer) == is_one
