import pytest

from keepsight.spans import Span
from keepsight.toyworld.captions import Clause, TrueCaption, clip_spans, true_captions
from keepsight.toyworld.questions import ToyQuestion
from keepsight.toyworld.scoring import AnswerScores, CaptionScores, parse_caption
from keepsight.toyworld.simulate import make_story


def truth(*texts: str, past: tuple[str, ...] = ()) -> TrueCaption:
    clauses = tuple(Clause(text, "", "", text, needs_past=text in past) for text in texts)
    return TrueCaption(Span(0.0, 32.0), "kitchen", clauses)


def test_the_truth_scores_full_marks() -> None:
    scores = CaptionScores()
    for seed in range(20):
        story = make_story(seed, 10)
        for caption in true_captions(story, clip_spans(story.duration_seconds, 32.0)):
            scores.add(caption.text, caption)
    assert scores.past.cases > 20
    assert set(scores.table().values()) == {1.0}


@pytest.mark.parametrize(
    ("said", "figure", "expected"),
    [
        ("in the street: a red car arrives, the cat leaves.", "places", 0.0),
        ("in the kitchen: a red car arrives.", "nouns F1", 2 / 3),
        ("in the kitchen: a red car arrives, the dog leaves.", "nouns F1", 1 / 2),
        ("in the kitchen: a blue car arrives, the cat leaves.", "colours F1", 0.0),
        ("in the kitchen: a blue car arrives, the cat leaves.", "nouns F1", 1.0),
        ("in the kitchen: a red car stays, the cat leaves.", "events F1", 2 / 3),
        ("in the kitchen: a red car arrives, the cat leaves, a dog stays.", "events F1", 1.0),
        ("", "nouns F1", 0.0),
        ("nonsense without a place", "places", 0.0),
    ],
)
def test_each_mistake_costs_what_it_should(said: str, figure: str, expected: float) -> None:
    scores = CaptionScores()
    scores.add(said, truth("a red car arrives", "the cat leaves"))
    assert scores.table()[figure] == pytest.approx(expected)


def test_past_dependent_clauses_count_only_word_for_word() -> None:
    scores = CaptionScores()
    true = truth("the dog returns", "the box with the red book stays", past=("the dog returns",))
    scores.add("in the kitchen: a dog arrives, the box with the red book stays.", true)
    assert (scores.past.right, scores.past.cases) == (0, 1)
    scores.add("in the kitchen: the dog returns.", true)
    assert (scores.past.right, scores.past.cases) == (1, 2)


def test_a_box_with_something_in_it_is_a_box_that_does_something() -> None:
    place, clauses = parse_caption("on the beach: the box with the red book is carried away.")
    scores = CaptionScores()
    scores.add("in the kitchen: the box with the cat is carried away.", truth("a closed box is carried away"))
    assert place == "beach"
    assert clauses == ["the box with the red book is carried away"]
    assert scores.table()["events F1"] == 1.0


def test_answers_are_counted_by_kind() -> None:
    scores = AnswerScores()
    scores.add("Yes.", ToyQuestion("seen", "Was there a dog?", "yes", 64.0, ()))
    scores.add("no", ToyQuestion("seen", "Was there a cat?", "yes", 64.0, ()))
    scores.add("red", ToyQuestion("colour", "What colour was the car?", "red", 64.0, ()))
    assert scores.table() == {"questions": pytest.approx(2 / 3), "colour": 1.0, "seen": 0.5}
