"""The captions shown first are those that share the rarest words."""

from hypothesis import given
from hypothesis import strategies as st

from keepsight.asking.relevance import closest_captions

CAPTIONS = [
    "in the kitchen: a dog arrives.",
    "in the kitchen: a cat arrives.",
    "in the park: a red car waits.",
    "in the kitchen: a cat leaves.",
]


def test_rare_words_count_and_common_ones_do_not() -> None:
    assert closest_captions(CAPTIONS, "Where is the red car? in the park", 1) == [2]
    assert closest_captions(CAPTIONS, "What did the cat do in the kitchen?", 2) == [1, 3]


def test_of_equals_the_later_one_is_taken() -> None:
    assert closest_captions(["a dog.", "a dog.", "a dog."], "zebra", 2) == [1, 2]


@given(st.lists(st.text(max_size=20), max_size=12), st.text(max_size=30), st.integers(0, 15))
def test_positions_are_in_order_once_each_and_no_more_than_asked(captions: list[str], text: str, most: int) -> None:
    shown = closest_captions(captions, text, most)
    assert shown == sorted(set(shown))
    assert len(shown) == min(most, len(captions))
    assert all(0 <= position < len(captions) for position in shown)
