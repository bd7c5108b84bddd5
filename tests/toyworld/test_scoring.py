import pytest

from keepsight.spans import Span
from keepsight.toyworld.captions import Clause, TrueCaption, clip_spans, true_captions
from keepsight.toyworld.questions import ToyQuestion
from keepsight.toyworld.scoring import AnswerScores, CaptionScores, parse_caption
from keepsight.toyworld.simulate import make_story


def truth(*texts: str, past: tuple[str, ...] = ()) -> TrueCaption:
    parts = [text.removeprefix("the ").rsplit(" ", 1) for text in texts]
    clauses = (Clause(what, "", verb, text in past) for text, (what, verb) in zip(texts, parts, strict=True))
    return TrueCaption(Span(0.0, 32.0), "kitchen", tuple(clauses))


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
        ("in the street: the red car arrives, the cat leaves.", "places", 0.0),
        ("in the kitchen: the red car arrives.", "nouns F1", 2 / 3),
        ("in the kitchen: the red car arrives, the dog leaves.", "nouns F1", 1 / 2),
        ("in the kitchen: the blue car arrives, the cat leaves.", "colours F1", 0.0),
        ("in the kitchen: the blue car arrives, the cat leaves.", "nouns F1", 1.0),
        ("in the kitchen: the red car stays, the cat leaves.", "events F1", 2 / 3),
        ("in the kitchen: the red car arrives, the cat leaves, the dog stays.", "events F1", 1.0),
        ("", "nouns F1", 0.0),
        ("nonsense without a place", "places", 0.0),
    ],
)
def test_each_mistake_costs_what_it_should(said: str, figure: str, expected: float) -> None:
    scores = CaptionScores()
    scores.add(said, truth("the red car arrives", "the cat leaves"))
    assert scores.table()[figure] == pytest.approx(expected)


def test_past_dependent_clauses_count_only_word_for_word() -> None:
    scores = CaptionScores()
    true = truth("the dog returns", "the closed box with the red book stays", past=("the dog returns",))
    scores.add("in the kitchen: the dog arrives, the closed box with the red book stays.", true)
    assert (scores.past.right, scores.past.cases) == (0, 1)
    scores.add("in the kitchen: the dog returns.", true)
    assert (scores.past.right, scores.past.cases) == (1, 2)


def test_a_box_with_something_in_it_is_a_box_that_does_something() -> None:
    place, clauses = parse_caption("on the beach: the closed box with the red book is carried away.")
    scores = CaptionScores()
    scores.add("in the kitchen: the closed box with the cat is carried away.", truth("the closed box is carried away"))
    assert place == "beach"
    assert clauses == ["the closed box with the red book is carried away"]
    assert scores.table()["events F1"] == 1.0


def test_answers_are_counted_by_kind() -> None:
    scores = AnswerScores()
    scores.add("Yes.", ToyQuestion("seen", "Was there a dog?", "yes", 64.0, ()))
    scores.add("no", ToyQuestion("seen", "Was there a cat?", "yes", 64.0, ()))
    scores.add("red", ToyQuestion("colour", "What colour was the car?", "red", 64.0, ()))
    assert scores.table() == {"questions": pytest.approx(2 / 3), "colour": 1.0, "seen": 0.5}
