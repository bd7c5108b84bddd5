"""Settings refuse what is not allowed, by name, and come back from JSON as they were."""

from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepsight.asking.retrieval import RETRIEVERS
from keepsight.errors import SettingError
from keepsight.method.memory import POLICIES
from keepsight.method.selection import SELECTORS
from keepsight.settings import (
    DIFFERENCES,
    MEMORY_POLICY_NAMES,
    MEMORY_POSITION_RULES,
    PAPER,
    RETRIEVER_NAMES,
    SELECTOR_NAMES,
    Settings,
)


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("frames_per_clip", 0, "at least 1"),
        ("frames_per_clip", -1, "at least 1"),
        ("frames_per_clip", 2.5, "whole number"),
        ("frames_per_clip", True, "whole number"),
        ("sample_fps", 0, "from 1e-06 to 1000"),
        ("sample_fps", -0.5, "from 1e-06 to 1000"),
        ("sample_fps", float("nan"), "from 1e-06 to 1000"),
        ("sample_fps", float("inf"), "from 1e-06 to 1000"),
        ("sample_fps", "0.5", "from 1e-06 to 1000"),
        ("describe_prompt", 3, "text that is not blank"),
        ("retention", 0, "over 0 and at most 1"),
        ("retention", 1.01, "over 0 and at most 1"),
        ("seed", -1, "at least 0"),
        ("memory_clips", -1, "at least 0"),
        ("memory_tokens", -1, "at least 0"),
        ("memory_policy", "best", "fifo, merge, decay, medoids, novelty"),
        ("memory_positions", "best", "contiguous, original"),
        ("max_caption_tokens", 0, "at least 1"),
        ("max_answer_tokens", 0, "at least 1"),
        ("retrieval_budget_tokens", 0, "at least 1"),
        ("mmr_lambda", 1.5, "from 0 to 1"),
        ("mmr_lambda", -0.1, "from 0 to 1"),
        ("mmr_pool_budgets", 0.5, "at least 1"),
        ("score_heads", "sum", "mean, max"),
        ("score_layers", (0,), "at least 1"),
        ("score_layers", "some", "whole numbers"),
        ("selector", "best", "attention, uniform"),
        ("retriever", "best", "mmr, similarity"),
        ("describe_prompt", " \n", "text that is not blank"),
        ("live", 1, "true or false"),
        ("caption_partial_clip", "yes", "true or false"),
    ],
)
def test_a_refused_value_is_named_with_what_is_allowed(name: str, value: object, allowed: str) -> None:
    given: dict[str, Any] = {name: value}
    with pytest.raises(SettingError) as caught:
        Settings(**given)
    message = str(caught.value)
    assert name in message
    assert f"got {list(value) if isinstance(value, tuple) else repr(value)}" in message
    assert allowed in message
    assert "\n" not in message.replace("\\n", "")


def test_the_paper_differs_exactly_where_the_table_says() -> None:
    ours, paper = asdict(Settings()), asdict(PAPER)
    differing = {name: (ours[name], paper[name]) for name in ours if ours[name] != paper[name]}
    assert differing == {name: (our, theirs) for name, (our, theirs, _) in DIFFERENCES.items()}
    assert Settings.paper() == PAPER


def test_the_papers_numbers() -> None:
    assert (PAPER.frames_per_clip, PAPER.sample_fps, PAPER.retention) == (16, 0.5, 1 / 16)
    assert (PAPER.memory_policy, PAPER.memory_positions) == ("fifo", "contiguous")
    assert (PAPER.memory_clips, PAPER.retrieval_budget_tokens, PAPER.selector) == (16, 10_000, "attention")
    assert not PAPER.live
    assert not PAPER.live_at_start


@given(
    st.builds(
        Settings,
        frames_per_clip=st.integers(1, 500),
        sample_fps=st.floats(1e-3, 1000),
        retention=st.floats(1e-6, 1),
        selector=st.sampled_from(SELECTOR_NAMES),
        retriever=st.sampled_from(RETRIEVER_NAMES),
        memory_tokens=st.none() | st.integers(0, 10**6),
        memory_policy=st.sampled_from(MEMORY_POLICY_NAMES),
        memory_positions=st.sampled_from(MEMORY_POSITION_RULES),
        describe_prompt=st.text(min_size=1).filter(str.strip),
        live=st.booleans(),
    )
)
def test_json_brings_back_equal_settings(settings: Settings) -> None:
    assert Settings.from_json(settings.to_json()) == settings


@pytest.mark.parametrize("text", ["", "[]", "3", '{"frames": 16}', '{"seed": -4}'])
def test_json_that_is_no_settings_is_refused(text: str) -> None:
    with pytest.raises(SettingError):
        Settings.from_json(text)


def test_a_setting_that_json_lacks_gets_its_default() -> None:
    assert Settings.from_json('{"seed": 3}') == Settings(seed=3)


def test_only_settings_that_decide_captions_count_for_resuming() -> None:
    changed = replace(Settings(), retriever="random", mmr_lambda=1.0, live=True, max_answer_tokens=9)
    assert changed.watching() == Settings().watching()
    changes: dict[str, Any] = {"seed": 1, "retention": 0.5, "sample_fps": 1.0, "memory_clips": 2}
    for name, value in {**changes, "memory_policy": "merge", "memory_positions": "original"}.items():
        assert replace(Settings(), **{name: value}).watching() != Settings().watching()


def test_the_names_are_those_that_exist() -> None:
    assert tuple(SELECTORS) == SELECTOR_NAMES
    assert tuple(RETRIEVERS) == RETRIEVER_NAMES
    assert tuple(POLICIES) == MEMORY_POLICY_NAMES
