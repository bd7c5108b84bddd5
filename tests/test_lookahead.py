"""Items made ahead in another thread: same items, same order, same errors, and no thread left over."""

import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepsight.engine.lookahead import look_ahead
from tests.patience import DEADLINE_SECONDS, wait_for


def num_threads() -> int:
    return sum(thread.name == "keepsight-lookahead" for thread in threading.enumerate())


@given(st.lists(st.integers()), st.integers(1, 4))
def test_items_come_in_their_order(items: list[int], depth: int) -> None:
    assert list(look_ahead(iter(items), depth)) == items
    assert num_threads() == 0


def test_no_more_is_made_than_may_wait() -> None:
    made: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            yield number

    items = look_ahead(numbers(), 2)
    assert next(items) == 0
    wait_for(lambda: len(made) >= 4, "items are made ahead")
    time.sleep(0.15)
    assert made == [0, 1, 2, 3]  # one used, two waiting, one in the making
    items.close()
    assert num_threads() == 0
    assert len(made) == 4


def test_the_next_item_is_made_while_one_is_used() -> None:
    """Each side waits for the other to be at work at the same time; one after the other would time out."""
    together = threading.Barrier(2, timeout=DEADLINE_SECONDS)

    def items() -> Iterator[int]:
        yield 0
        for number in range(1, 4):
            together.wait()
            yield number

    used = []
    for item in look_ahead(items()):
        used.append(item)
        if item < 3:
            together.wait()
    assert used == [0, 1, 2, 3]


@pytest.mark.parametrize("error", [ValueError("broken"), KeyboardInterrupt()])
def test_an_error_comes_after_all_items_before_it(error: BaseException) -> None:
    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise error

    ahead = look_ahead(items())
    assert [next(ahead), next(ahead)] == [1, 2]
    with pytest.raises(type(error)):
        next(ahead)
    assert num_threads() == 0


def test_leaving_early_closes_what_makes_the_items() -> None:
    closed = threading.Event()

    def items() -> Iterator[int]:
        try:
            yield from range(100)
        finally:
            closed.set()

    for item in look_ahead(items()):
        if item == 3:
            break
    else:
        pytest.fail("the loop was to be left")
    assert closed.wait(DEADLINE_SECONDS)
    assert num_threads() == 0
