"""Worlds for evaluation only, and the trained ones, which must never change."""

import hashlib
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from keepsight.errors import SettingError
from keepsight.toyworld.art import picture
from keepsight.toyworld.captions import clip_spans, true_captions
from keepsight.toyworld.looks import USUAL, Look, Looks
from keepsight.toyworld.questions import ask_all
from keepsight.toyworld.render import THING_SIZE, drawn_size, render_frame
from keepsight.toyworld.simulate import make_story
from keepsight.toyworld.story import DIFFICULTIES, Difficulty, Kind, Story
from keepsight.toyworld.worlds import EVALUATION_WORLDS, WORLDS

TRAINED = {
    "easy": ("82cbde6542d69abf", [[208.3, 218.9, 219.1], [217.1, 171.8, 129.5], [217.1, 171.8, 129.5]]),
    "default": ("74561c97bfc6c045", [[201.8, 197.0, 223.7], [232.2, 194.6, 168.3], [224.3, 187.5, 168.3]]),
    "hard": ("75865e5c9756d06d", [[180.3, 160.2, 105.3], [214.5, 218.9, 223.8], [186.6, 158.2, 202.7]]),
    "crowded": ("d0e82017f29348e7", [[189.0, 172.7, 191.3], [185.3, 151.5, 108.7], [192.7, 171.0, 173.8]]),
    "cluttered": ("74561c97bfc6c045", [[201.8, 196.2, 219.3], [232.2, 193.5, 167.2], [224.3, 186.9, 167.2]]),
    "fast": ("6bfa864e44c99dd7", [[209.2, 216.4, 201.4], [232.2, 193.5, 161.0], [223.5, 199.1, 157.6]]),
}
"""Digest of captions, questions, paths and events of one story, and brightness of thirds of three of its pictures."""


@pytest.mark.parametrize("name", TRAINED)
def test_what_the_bundled_models_were_trained_on_never_changes(name: str) -> None:
    """The stories to the bit; pictures up to what another version of the drawing library may change."""
    assert list(DIFFICULTIES) == list(TRAINED)
    digest, brightness = TRAINED[name]
    story = make_story(60_000, 20, DIFFICULTIES[name])
    captions = true_captions(story, clip_spans(640, 32))
    lines = [caption.text for caption in captions]
    lines += [f"{q.question}|{q.answer}|{q.ask_seconds}|{q.evidence_clips}" for q in ask_all(captions, 60_000, 2)]
    lines += [repr((shown.picture, shown.place, shown.layer.value, shown.path)) for shown in story.appearances]
    lines += [repr((e.kind.value, e.thing, e.start_seconds, e.end_seconds, e.place)) for e in story.events]
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16] == digest
    pictures = np.stack([render_frame(story, seconds, 96) for seconds in (71.0, 203.0, 430.0)])
    thirds = pictures.reshape(3, 3, 32, 96, 3).mean(axis=(2, 3, 4))
    np.testing.assert_allclose(thirds, brightness, atol=0.3)


def test_training_never_draws_an_evaluation_world() -> None:
    """Training draws among `DIFFICULTIES`, and those usual looks only."""
    assert not set(EVALUATION_WORLDS) & set(DIFFICULTIES)
    for difficulty in DIFFICULTIES.values():
        assert (difficulty.looks, difficulty.travel_seconds, difficulty.last_debut_beat) == (Looks(), 4.0, 0)


def absences(story: Story) -> list[float]:
    """Beats between a thing's going away, carried or not, and its next coming."""
    found = []
    for thing in {event.thing for event in story.events if event.thing}:
        mine = [event for event in story.events if event.thing == thing]
        found += [
            (later.start_seconds - earlier.end_seconds) / story.difficulty.beat_seconds
            for earlier, later in pairwise(mine)
            if earlier.kind in (Kind.LEAVE, Kind.VISIT, Kind.BOX_LEAVES) and later.kind in (Kind.ARRIVE, Kind.VISIT)
        ]
    return found


def test_in_long_gaps_things_stay_away_for_twenty_clips_and_more_and_captions_know_them_still() -> None:
    gaps = []
    for seed in range(4):
        story = make_story(seed, 120, WORLDS["long-gaps"])
        gaps += absences(story)
        spans = clip_spans(story.duration_seconds, 32)
        limited, unlimited = (true_captions(story, spans, memory) for memory in (16, None))
        returning = [sum("returns" in caption.text for caption in captions) for captions in (limited, unlimited)]
        assert returning[0] == 0 < returning[1]
    assert min(gaps) > 19
    assert np.quantile(gaps, 0.9) < 64
    assert sum(gap > 40 for gap in gaps) > 20


def test_changing_looks_are_the_stories_of_hard() -> None:
    """Event for event, so that figures of the two can be paired."""
    hard, changing = (make_story(7, 20, WORLDS[name]) for name in ("hard", "changing-looks"))
    assert (hard.events, hard.appearances, hard.scenes) == (changing.events, changing.appearances, changing.scenes)
    different = [
        seconds
        for seconds in np.arange(5.0, 640.0, 16.0)
        if (render_frame(hard, seconds, 96) != render_frame(changing, seconds, 96)).any()
    ]
    showing = [seconds for seconds in np.arange(5.0, 640.0, 16.0) if any(s.thing for s in hard.visible_at(seconds))]
    assert different == showing


def test_a_thing_keeps_its_look_while_it_stays_and_has_another_when_it_comes_again() -> None:
    story = make_story(7, 60, WORLDS["changing-looks"])
    looks: dict[object, list[tuple[float, Look]]] = {}
    for shown in sorted(story.appearances, key=lambda shown: shown.start_seconds):
        if shown.thing is None:
            assert story.look_of(shown) == USUAL
        else:
            looks.setdefault(shown.thing, []).append((shown.start_seconds, story.look_of(shown)))
    comings = {(e.thing, e.start_seconds) for e in story.events if e.kind in (Kind.ARRIVE, Kind.VISIT)}
    num_changes = 0
    for thing, listed in looks.items():
        for (_, before), (seconds, after) in pairwise(listed):
            assert (before != after) == ((thing, seconds) in comings)
            num_changes += before != after
    assert num_changes > 5


def test_unseen_things_have_one_look_of_their_own_and_places_other_shades_and_patterns() -> None:
    story = make_story(7, 20, WORLDS["unseen"])
    looks = {shown.thing: story.look_of(shown) for shown in story.appearances if shown.thing}
    assert all(story.look_of(shown) == looks[shown.thing] for shown in story.appearances if shown.thing)
    assert all(look.is_outlined for look in looks.values())
    assert len({look.size for look in looks.values()}) == len(looks)
    for shown in story.appearances:
        assert drawn_size(story, shown) == pytest.approx(
            THING_SIZE * looks[shown.thing].size if shown.thing else 0.33, abs=1e-9
        )
    usual = replace(story, difficulty=Difficulty(), appearances=())
    bare = replace(story, appearances=())
    for scene in story.scenes:
        before, after = (render_frame(each, scene.start_seconds, 96).astype(int) for each in (usual, bare))
        assert np.abs(before - after).max() > 25
        assert (before != after).any(axis=2).mean() > 0.5
    crossing = [e.end_seconds - e.start_seconds for e in story.events if e.kind == Kind.ARRIVE]
    assert set(np.round(crossing, 6)) == {2.5}


def test_looks_change_what_they_say_and_nothing_else() -> None:
    usual = np.asarray(picture("red car", 128)).astype(int)
    mirrored = np.asarray(picture("red car", 128, Look(is_mirrored=True))).astype(int)
    assert np.abs(mirrored - usual[:, ::-1]).mean() < 1
    dark = np.asarray(picture("red car", 128, Look(shade=0.6))).astype(int)
    solid = usual[..., 3] == 255
    np.testing.assert_allclose(dark[solid][:, :3].mean(), 0.6 * usual[solid][:, :3].mean(), rtol=0.05)
    np.testing.assert_array_equal(dark[..., 3], usual[..., 3])
    for side, hidden in (("left", np.s_[:, :28]), ("right", np.s_[:, 100:]), ("bottom", np.s_[100:])):
        covered = np.asarray(picture("red car", 128, Look(covered=side))).astype(int)
        assert covered[hidden].reshape(-1, 4).std(axis=0).max() < 3
        assert (covered != usual).any(axis=2).mean() < 0.3
    outlined = np.asarray(picture("red car", 128, Look(is_outlined=True))).astype(int)
    np.testing.assert_array_equal(outlined[..., 3], usual[..., 3])
    changed = (outlined != usual).any(axis=2)
    assert 0.05 < (changed & solid).sum() / solid.sum() < 0.4
    assert outlined[changed & solid][:, :3].mean() < 110


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"travel_seconds": 5.0}, "travel_seconds must be 1 to 4 to fit the events, got 5.0"),
        ({"last_debut_beat": -1}, "last_debut_beat and memory_clips must be at least 0"),
        ({"memory_clips": -1}, "last_debut_beat and memory_clips must be at least 0"),
    ],
)
def test_impossible_worlds_are_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(SettingError, match=said):
        Difficulty(**changes)  # type: ignore[arg-type]


def test_impossible_looks_are_refused() -> None:
    with pytest.raises(SettingError, match="sizes must be two numbers above 0 and below 2, smaller first, got"):
        Looks(sizes=(1.2, 0.8))
