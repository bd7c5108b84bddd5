import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.curves import mean_over_processes, read_log, smoothed


@given(st.lists(st.tuples(st.integers(0, 10_000), st.floats(0, 1)), max_size=300), st.integers(1, 70))
def test_smoothing_keeps_order_and_range_and_leaves_few_points_alone(
    points: list[tuple[float, float]], most: int
) -> None:
    points.sort()
    smooth = smoothed(points, most)
    assert len(smooth) <= most
    assert [x for x, _ in smooth] == sorted(x for x, _ in smooth)
    if len(points) <= most:
        assert smooth == points
    else:
        values = [y for _, y in points]
        assert all(min(values) - 1e-9 <= y <= max(values) + 1e-9 for _, y in smooth)


def test_groups_are_averaged_in_step_and_value() -> None:
    assert smoothed([(0, 0.0), (2, 1.0), (4, 0.5), (6, 0.5), (8, 0.25)], 3) == [(1.0, 0.5), (5.0, 0.5), (8.0, 0.25)]


def test_steps_done_again_after_a_stop_count_once_and_processes_are_averaged(tmp_path: Path) -> None:
    lines = [{"step": 25, "loss": 4.0}, {"step": 50, "loss": 9.0}, {"step": 50, "loss": 2.0, "where": 0.5}]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    log = read_log(tmp_path / "a.jsonl")
    assert mean_over_processes([log, [{"step": 50, "loss": 4.0}]], "loss") == [(25, 4.0), (50, 3.0)]
    assert mean_over_processes([log, []], "where") == [(50, pytest.approx(0.5))]
    assert read_log(tmp_path / "missing.jsonl") == []
