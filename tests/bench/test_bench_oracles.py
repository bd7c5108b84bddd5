"""Oracles keep what is drawn where, and run on the toy world only."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from keepsight.bench import runner
from keepsight.bench.datasets.toy_frames import Mark, MarkedFrame, marks_at
from keepsight.bench.datasets.toyworld import ToySource
from keepsight.bench.experiments import EXPERIMENTS, make_experiments
from keepsight.bench.methods import is_oracle, make_method
from keepsight.bench.methods.loop import LoopObserver
from keepsight.bench.methods.oracle import EMPTY, EVENT, SHOWN, shown_in
from keepsight.bench.records import DataSet
from keepsight.bench.scoring import make_scorer
from keepsight.bench.shared_model import SharedModel
from keepsight.errors import SettingError
from keepsight.settings import Settings
from keepsight.video import Frame
from tests.bench.bench_videos import PictureSource, video
from tests.fake_model import FakeModel

SOURCE = ToySource(60_001, 2.2, "fast")
GRID = (3, 3)
SETTINGS = Settings(retention=0.0625)
DARK = np.zeros((6, 6, 3), np.uint8)


def watched(text: str, frames: list[MarkedFrame] | None = None, grid: tuple[int, int] = GRID) -> LoopObserver:
    observer = make_method(text, SETTINGS).begin(SharedModel(FakeModel(grid=grid)), 0.5)
    for frame in SOURCE.frames(0.5) if frames is None else frames:
        observer.see(frame)
    assert isinstance(observer, LoopObserver)
    return observer


def covered(seconds: float, acting: bool) -> set[int]:
    """Cells of which something on screen, or something that acts, covers over 15 %, pixel by pixel."""
    cells = set()
    side = (np.arange(300) + 0.5) / 300
    for mark in marks_at(SOURCE.story, seconds):
        inside = [abs(side - middle) < mark.size / 2 for middle in mark.middle]
        shares = (inside[1][:, None] & inside[0][None]).reshape(3, 100, 3, 100).mean(axis=(1, 3)).flatten()
        if not acting or mark.acts:
            cells |= {cell for cell in range(9) if shares[cell] > 0.15}
    return cells


@pytest.mark.parametrize("answering", ["captions", "tokens"])
def test_an_oracle_keeps_tokens_on_things_and_events_first(answering: str) -> None:
    """A clip with too few of a rank is filled with the next."""
    num_events = 0
    for keeps in ("events", "things"):
        for clip in watched(f"oracle-{answering}:keeps={keeps}").captions():
            times = [clip.span.start_seconds + 2.0 * frame for frame in range(clip.num_frames)]
            shown = {9 * frame + cell for frame, seconds in enumerate(times) for cell in covered(seconds, acting=False)}
            acting = {9 * frame + cell for frame, seconds in enumerate(times) for cell in covered(seconds, acting=True)}
            kept = set(clip.kept_indices)
            assert len(kept) == 9
            assert len(kept & shown) == min(9, len(shown))
            if keeps == "events":
                assert len(kept & acting) == min(9, len(acting))
                num_events += len(kept & acting)
    assert num_events > 10


def test_what_acts_is_what_a_story_says() -> None:
    for event in SOURCE.story.events:
        middle = event.middle_seconds
        if event.thing is not None and SOURCE.story.place_at(middle) == event.place:
            acting = {mark.name for mark in marks_at(SOURCE.story, middle) if mark.acts}
            assert event.thing.noun in acting or event.kind == "box leaves"
    calm = [mark for second in range(130) for mark in marks_at(SOURCE.story, float(second)) if not mark.acts]
    assert len(calm) > 50


def test_a_step_of_two_frames_shows_the_most_of_both_on_any_grid() -> None:
    def frame(*marks: Mark) -> MarkedFrame:
        return MarkedFrame(DARK, 0.0, marks=marks)

    dog, cat = Mark("dog", (0.9, 0.25), 0.4), Mark("cat", (0.1, 0.75), 0.4, acts=True)
    frames = [frame(dog), frame(dog, cat), frame()]
    assert shown_in(frames, (2, 3), 2).tolist() == [[EMPTY, EMPTY, SHOWN, EVENT, EMPTY, EMPTY], [EMPTY] * 6]
    assert shown_in(frames, (1, 2), 1).tolist() == [[EMPTY, SHOWN], [EVENT, SHOWN], [EMPTY, EMPTY]]


def test_within_a_rank_every_token_has_a_chance_and_draws_are_repeated() -> None:
    frames = [MarkedFrame(np.full_like(DARK, number), 2.0 * number) for number in range(96)]
    clips = [clip.kept_indices for clip in watched("oracle-captions", frames).captions()]
    assert len(clips) == len(set(clips)) == 6
    assert len(set().union(*clips)) > 40  # of 54 draws among 144
    assert [clip.kept_indices for clip in watched("oracle-tokens", frames).captions()] == clips
    assert [clip.kept_indices for clip in watched("oracle-captions:seed=4", frames).captions()] != clips


def test_the_memory_holds_what_the_oracle_kept() -> None:
    observer = watched("oracle-captions")
    for clip, told in zip(observer.clips, observer.captions(), strict=True):
        frames = [frame.image for frame in SOURCE.frames(0.5)][16 * told.clip_index :][: told.num_frames]
        assert torch.equal(clip.tokens, FakeModel(grid=GRID).encode(frames)[list(told.kept_indices)])


def test_other_frames_settings_and_rules_are_refused() -> None:
    with pytest.raises(SettingError, match="must get frames of the toy world"):
        shown_in([Frame(DARK, 0.0)], GRID, 1)
    with pytest.raises(SettingError, match="keeps must be one of events, things, got 'all'"):
        make_method("oracle-captions:keeps=all")
    with pytest.raises(SettingError, match="selector must be left out of an oracle, got 'uniform'"):
        make_method("oracle-tokens:selector=uniform")


def test_other_data_sets_are_refused_before_the_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(runner, "_load", lambda *_: pytest.fail("a model was loaded"))
    data = DataSet("films", (video(PictureSource(4), [2.0]),), "exact")
    methods = {"captions": make_method("captions"), "oracle-tokens": make_method("oracle-tokens")}
    says = (
        "data set of oracle-tokens must be paper-toy, whose frames tell what they show, got films; "
        "leave that method out"
    )
    with pytest.raises(SettingError, match=f"^{re.escape(says)}$"):
        runner.run(data, methods, make_scorer("exact"), runner.RunSettings(cache_folder=tmp_path / "cache"))
    assert not (tmp_path / "cache").exists()


def test_oracles_are_rows_of_the_toy_world_only() -> None:
    info = FakeModel().info
    names = tuple(EXPERIMENTS)
    everything, others = make_experiments(names, info), make_experiments(names, info, oracles=False)
    assert [each.name for each in others] == list(EXPERIMENTS)
    num_left_out = 0
    for whole, part in zip(everything, others, strict=True):
        oracles = {label for label, text in whole.rows.items() if is_oracle(make_method(text))}
        assert part.rows == {label: text for label, text in whole.rows.items() if label not in oracles}
        num_left_out += len(oracles)
    assert num_left_out >= 6
