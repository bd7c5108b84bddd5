import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keepsight.errors import SettingError
from keepsight.toyworld.captions import clip_spans, true_captions
from keepsight.toyworld.render import render_frame
from keepsight.toyworld.simulate import make_story
from keepsight.toyworld.story import DIFFICULTIES, Difficulty, Kind, Story

stories = st.builds(
    make_story,
    st.integers(0, 10_000),
    st.integers(1, 14),
    st.sampled_from(list(DIFFICULTIES.values())),
)


def things_shown(story: Story, seconds: float) -> list[str]:
    return [shown.thing.phrase for shown in story.visible_at(seconds) if shown.thing]


def test_the_same_seed_makes_the_same_story_and_pictures() -> None:
    assert make_story(5, 6) == make_story(5, 6)
    assert make_story(5, 6) != make_story(6, 6)
    one, other = (render_frame(make_story(5, 6), 70.0, 96) for _ in range(2))
    np.testing.assert_array_equal(one, other)


@settings(max_examples=60, deadline=None)
@given(stories)
def test_nothing_is_in_two_spots_and_the_screen_is_never_overfull(story: Story) -> None:
    for seconds in np.arange(0.5, story.duration_seconds, 1.0):
        shown = things_shown(story, seconds)
        assert len(shown) == len(set(shown)), f"twice on the screen at {seconds}: {shown}"
        assert len(shown) <= story.difficulty.max_visible + 2  # one may still be leaving, one peeks
        assert sum(one.thing is None for one in story.visible_at(seconds)) <= 1


@settings(max_examples=60, deadline=None)
@given(stories)
def test_events_stay_within_their_beat_and_scenes_cover_the_time(story: Story) -> None:
    beat = story.difficulty.beat_seconds
    for event in story.events:
        assert event.start_seconds // beat == event.end_seconds // beat
        assert story.place_at(event.start_seconds) == event.place
    assert story.scenes[0].start_seconds == 0
    assert story.scenes[-1].end_seconds == story.duration_seconds
    for one, other in zip(story.scenes, story.scenes[1:], strict=False):
        assert one.end_seconds == other.start_seconds


@settings(max_examples=60, deadline=None)
@given(stories)
def test_events_agree_with_what_is_on_the_screen(story: Story) -> None:
    for event in story.events:
        if event.thing is None or event.kind in (Kind.BOX_LEAVES, Kind.VISIT):
            continue
        before = event.thing.phrase in things_shown(story, event.start_seconds - 0.1)
        after = event.thing.phrase in things_shown(story, event.end_seconds + 0.1)
        comes = event.kind in (Kind.ARRIVE, Kind.EXIT_BOX, Kind.EMERGE)
        goes = event.kind in (Kind.LEAVE, Kind.ENTER_BOX, Kind.HIDE)
        assert before == (not comes), event
        assert after == (not goes), event


@settings(max_examples=40, deadline=None)
@given(stories, st.integers(0, 16))
def test_captions_name_exactly_what_the_clip_shows(story: Story, memory_clips: int) -> None:
    spans = clip_spans(story.duration_seconds, story.difficulty.beat_seconds)
    for span, caption in zip(spans, true_captions(story, spans, memory_clips), strict=True):
        moments = np.arange(span.start_seconds + 0.05, span.end_seconds, 0.5)
        shown = {name for moment in moments for name in things_shown(story, moment)}
        assert {clause.thing.phrase for clause in caption.clauses if clause.thing} == shown
        assert caption.place == story.place_at(span.start_seconds)


@settings(max_examples=40, deadline=None)
@given(stories)
def test_without_memory_no_clause_needs_the_past_and_with_it_only_seen_things_return(story: Story) -> None:
    spans = clip_spans(story.duration_seconds, story.difficulty.beat_seconds)
    assert not any(clause.needs_past for caption in true_captions(story, spans, 0) for clause in caption.clauses)
    seen: set[str] = set()
    for span, caption in zip(spans, true_captions(story, spans, len(spans)), strict=True):
        for clause in caption.clauses:
            if clause.verb.startswith(("arrives", "returns")) and clause.thing:
                assert (clause.thing.phrase in seen) == clause.verb.startswith("returns")
        moments = np.arange(span.start_seconds, span.end_seconds, 0.25)
        seen |= {name for moment in moments for name in things_shown(story, moment)}


def test_the_camera_sees_a_thing_arrive() -> None:
    story = make_story(0, 8)
    event = next(event for event in story.events if event.kind == Kind.ARRIVE)
    before = render_frame(story, event.start_seconds - 0.1, 96).astype(int)
    after = render_frame(story, event.end_seconds + 0.1, 96).astype(int)
    changed = np.abs(before - after).sum(axis=2) > 30
    assert 50 < changed.sum() < 96 * 96 / 3


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"max_visible": 0}, "max_visible must be 1 to 5, got 0"),
        ({"num_places": 9}, "num_places must be 1 to 8, got 9"),
        ({"num_things": 0}, "num_things must be 1 to 20, got 0"),
        ({"beat_seconds": 3.0}, "beat_seconds must be at least 24 to fit the events, got 3.0"),
        ({"gap_beats": (3, 1)}, "gap_beats must be"),
    ],
)
def test_impossible_difficulties_are_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(SettingError, match=said):
        Difficulty(**changes)  # type: ignore[arg-type]
