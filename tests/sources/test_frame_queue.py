"""A queue that never grows, and counts every frame that it gives up at the place where it is missing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepsight.errors import SettingError
from keepsight.sources.frame_queue import DropPolicy, FrameQueue


def drain(queue: FrameQueue[int]) -> list[tuple[int, int]]:
    """What is left: items and the frames given up before each."""
    queue.close()
    left = []
    while (queued := queue.get()) is not None:
        left.append((queued.item, queued.num_dropped_before))
    return left


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (DropPolicy.DROP_OLDEST, [6, 7, 8, 9]),
        (DropPolicy.DROP_NEWEST, [0, 1, 2, 3]),
        (DropPolicy.THIN, [0, 6, 8, 9]),
    ],
)
def test_each_policy_keeps_what_it_says(policy: DropPolicy, expected: list[int]) -> None:
    queue: FrameQueue[int] = FrameQueue(4, policy)
    for number in range(10):
        queue.put(number)
    assert [item for item, _ in drain(queue)] == expected
    assert queue.num_dropped == 6


@given(
    policy=st.sampled_from(list(DropPolicy)),
    capacity=st.integers(1, 6),
    steps=st.lists(st.sampled_from(["put", "get", "note"]), max_size=80),
)
def test_whatever_happens_the_counts_come_out(policy: DropPolicy, capacity: int, steps: list[str]) -> None:
    """Frames are numbered: between two that come out, exactly the numbers that are missing were given up."""
    queue: FrameQueue[int] = FrameQueue(capacity, policy)
    num_put, out, num_notes = 0, [], 0
    for step in steps:
        if step == "put":
            queue.put(num_put)
            num_put += 1
        elif step == "note":
            queue.put_note(-1)
            num_notes += 1
        elif (queued := queue.get(0)) is not None:
            out.append((queued.item, queued.num_dropped_before))
        assert len(queue) <= capacity
    out += drain(queue)
    assert sum(item == -1 for item, _ in out) == num_notes
    expected_next, dropped = 0, 0
    for item, num_dropped_before in out:
        dropped += num_dropped_before
        if item == -1:
            continue
        assert item - expected_next == dropped
        expected_next, dropped = item + 1, 0
    assert queue.num_dropped == num_put - sum(item != -1 for item, _ in out)


def test_a_queue_of_nothing_is_refused() -> None:
    with pytest.raises(SettingError, match="at least 1 frame"):
        FrameQueue(0, DropPolicy.DROP_OLDEST)
