"""The paper's runs: what is documented is what is done, and every frame is the one that the protocols say."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from keepsight.bench.datasets import DATASETS
from keepsight.bench.datasets.even_frames import EvenFrames
from keepsight.bench.datasets.shot_folder import ShotFolderSource
from keepsight.bench.datasets.sources import ArraySource, FileSource
from keepsight.bench.methods import make_method
from keepsight.bench.paper import PAPER_RUNS, as_in_paper, paper_run
from keepsight.bench.records import DataSet, Question, TimeUnit, Video
from keepsight.bench.uncaptioned import count_uncaptioned, uncaptioned_notes
from keepsight.errors import VideoError
from keepsight.settings import DIFFERENCES, PAPER, Settings
from keepsight.video import open_video
from tests.bench.bench_videos import PictureSource, TellingModel, question, video, watch
from tests.small_videos import MakeVideo

DOCS = Path(__file__).parents[2] / "docs"


def table(page: str, first_heading: str) -> list[list[str]]:
    """Cells of the rows of a Markdown table, by its first headings."""
    lines = (
        (DOCS / page).read_text(encoding="utf-8").split(f"| {first_heading} |", 1)[1].split("\n\n", 1)[0].splitlines()
    )
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def first_code(cell: str) -> str | None:
    found = re.match(r"`([^`]+)`", cell)
    return found[1] if found else None


def as_toml(value: object) -> str:
    return {True: "true", False: "false", None: "none"}[value] if value in (True, False, None) else str(value)


def test_the_documented_differences_are_those_of_the_settings() -> None:
    rows = {first_code(setting): (ours, paper, flag) for _, setting, ours, paper, flag in table("method.md", "point")}
    set_back = {name for name, (_, _, flag) in rows.items() if name and flag == "set back"}
    assert set_back == set(DIFFERENCES)
    for name, (ours, paper, flag) in rows.items():
        if name is None:
            continue
        assert first_code(ours) == as_toml(getattr(Settings(), name)), name
        if flag == "set back":
            assert first_code(paper) == as_toml(getattr(PAPER, name)), name
        else:
            assert (flag, getattr(PAPER, name)) == ("stays", getattr(Settings(), name)), name
            assert first_code(paper) in (None, as_toml(getattr(PAPER, name)))


def test_the_documented_runs_are_those_of_the_code() -> None:
    rows = table("comparing-methods.md", "data set | frames by default")
    named = {name: row[1:] for row in rows for name in re.findall(r"`([^`]+)`", row[0])}
    (others,) = (row[1:] for row in rows if row[0] == "all others")
    assert set(named) <= set(DATASETS)
    for name in DATASETS:
        by_default, as_paper, experiments = named.get(name, others)
        run = paper_run(name)
        unit = "a shot" if name.endswith("-movie") else "a second"
        assert by_default == f"{1 if unit == 'a shot' else Settings().sample_fps:g} {unit}"
        rate = f"{run.sample_fps:g} {unit}" if run.frames_per_video is None else f"{run.frames_per_video} a video"
        assert (as_paper, experiments) == (rate, f"`{run.experiments[0]}`")
    assert set(PAPER_RUNS) <= set(DATASETS)


@pytest.mark.parametrize(("seconds", "num_frames"), [(10, 32), (1, 32), (7, 3), (10, 1)])
def test_even_frames_are_as_many_in_every_video(make_video: MakeVideo, seconds: int, num_frames: int) -> None:
    """Frame i is the picture that is on screen i / n of the length after the start, at 8 pictures a second."""
    path = make_video(seconds=seconds, fps=8)
    with open_video(path) as opened:
        pictures = [frame.image for frame in opened.sampled_frames(8)]
    source = EvenFrames(path, num_frames)
    frames = list(source.frames(0.5))
    assert len(frames) == source.count_frames(0.5) == num_frames
    assert source.own_fps() == num_frames / seconds
    for place, frame in enumerate(frames):
        assert frame.pts_seconds == pytest.approx(place * seconds / num_frames)
        assert np.array_equal(frame.image, pictures[place * seconds * 8 // num_frames])


def test_even_frames_of_a_video_that_is_shorter_than_it_says(
    make_video: MakeVideo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 12 s that the file claims it has 10: the last picture stands for the rest."""
    path = make_video(seconds=10)
    monkeypatch.setattr("keepsight.video.source._duration_seconds", lambda *_: 12.0)
    frames = list(EvenFrames(path, 6).frames(0.5))
    assert [frame.pts_seconds for frame in frames] == pytest.approx([0, 2, 4, 6, 8, 10])
    assert np.array_equal(frames[-1].image, frames[-2].image)
    monkeypatch.setattr("keepsight.video.source._duration_seconds", lambda *_: None)
    monkeypatch.setattr("keepsight.video.source.VideoInfo", lambda **values: UNMEASURED)
    with pytest.raises(VideoError, match="states no length"):
        EvenFrames(path, 6).own_fps()


@dataclass(frozen=True)
class Unmeasured:
    duration_seconds: float | None = None
    average_fps: float | None = None
    num_frames: int | None = None


UNMEASURED = Unmeasured()


def seen_by_last_frames(watched: Video) -> list[list[float]]:
    """Times of the frames before each question."""
    model = TellingModel()
    method = make_method("last-frames:num_frames=999", replace(PAPER, sample_fps=0.5))
    observer = method.begin(model, watched.fps(0.5))
    seen, waiting = [], list(watched.questions)
    for frame in watched.source.frames(0.5):
        while waiting and waiting[0].ask_seconds <= frame.pts_seconds:
            seen.append([one.pts_seconds for one in observer.frames])
            waiting.pop(0)
        observer.see(frame)
    return seen + [[one.pts_seconds for one in observer.frames]] * len(waiting)


@pytest.mark.parametrize("num_shots", [2, 9, 40, 41])
def test_shots_and_times_of_rvs_movie_are_those_of_rekv(tmp_path: Path, num_shots: int) -> None:
    """Its loader takes `int(n / 2)` of n shots, spread by numpy, and shows a question at t the first `int(t / 2)`."""
    path = tmp_path / "film.npy"
    np.save(path, np.arange(num_shots * 12, dtype=np.uint8).reshape(num_shots, 2, 2, 3))
    times = [float(t) for t in range(1, num_shots + 1)]
    film = video(ArraySource(path), times, TimeUnit.SHOTS)
    (ours,) = as_in_paper(DataSet("rvs-movie", (film,), "judge")).videos
    taken = np.linspace(0, num_shots - 1, int(num_shots * 0.5), dtype=int)
    assert [frame.pts_seconds for frame in ours.source.frames(0.5)] == taken.tolist()
    assert [int(frame.image[0, 0, 0]) for frame in ours.source.frames(0.5)] == [12 * shot % 256 for shot in taken]
    for t, seen in zip(times, seen_by_last_frames(ours), strict=True):
        theirs = taken[: int(t * 0.5)].tolist()
        assert seen == [shot for shot in theirs if shot < t]
        # Theirs shows the last of an odd number of shots to a question at its own time: nothing else is left out.
        assert seen == theirs or (num_shots % 2 == 1 and t == num_shots - 1)


def test_what_the_paper_run_leaves_alone(tmp_path: Path) -> None:
    source = FileSource(tmp_path / "a.mp4")
    for name in ("rvs-ego", "cgbench", "moviechat-1k"):
        (ours,) = as_in_paper(DataSet(name, (video(source, [7.5, math.inf]),), "judge", "a file")).videos
        assert ours.source == source
        assert [one.ask_seconds for one in ours.questions] == [6.0 if name == "rvs-ego" else 7.5, math.inf]
    film = video(ShotFolderSource(tmp_path), [9.0], TimeUnit.SHOTS)
    changed = as_in_paper(DataSet("vstream-qa-movie", (film,), "judge", "a file"))
    assert changed.videos[0].source == ShotFolderSource(tmp_path, 0.5)
    assert changed.settings.startswith("a file, PaperRun(sample_fps=0.5")


@dataclass(frozen=True)
class CountedSource(PictureSource):
    def count_frames(self, sample_fps: float) -> int:
        return math.ceil(self.seconds * sample_fps)


LENGTHS = (2.0, 3.5, 4.0, 4.5, 30.0)
TIMES = (0.5, 2.0, 3.0, 3.25, 4.0, 4.25, 9.0, math.inf)


@pytest.mark.parametrize("partial", [True, False])
@pytest.mark.parametrize("live_at_start", [True, False])
@pytest.mark.parametrize("name", ["captions", "selected-tokens", "captions-and-live", "captions-and-tokens", "blind"])
def test_questions_without_a_caption_are_counted_before_the_run(name: str, partial: bool, live_at_start: bool) -> None:
    """What is counted from times and lengths is what the model is then given: clips of 4 frames at 1 fps."""
    method = make_method(
        name, Settings(frames_per_clip=4, sample_fps=1.0, caption_partial_clip=partial, live_at_start=live_at_start)
    )
    videos = tuple(video(CountedSource(seconds), TIMES, video_id=f"v{seconds}") for seconds in LENGTHS)
    counted = count_uncaptioned(DataSet("rooms", videos, "exact"), method)
    if name == "blind":
        assert counted == type(counted)()
        return
    model = TellingModel()
    blind = shown = 0
    for each in videos:
        predictions, captions = watch(model, each, {name: method})
        for one in predictions:
            at = math.inf if one.ask_seconds is None else one.ask_seconds
            sees_nothing = one.answer == f"|{one.question}|0"
            blind += sees_nothing
            shown += not sees_nothing and not any(known_at(clip.end_seconds, at, each) for clip in captions)
    expected = counted.num_too_short + (0 if counted.sees_frames else counted.num_early)
    assert blind == expected
    assert shown == (counted.num_early if counted.sees_frames else 0)
    assert (counted.num_too_short > 0) == (counted.num_short_videos > 0) == (not partial)


def known_at(end_seconds: float, at: float, watched: Video) -> bool:
    """Whether a clip's last frame came before a time; the unfinished clip's caption comes after the end."""
    length = watched.source.seconds  # type: ignore[attr-defined]
    return end_seconds - 1 < at and (end_seconds % 4 == 0 or at > math.ceil(length))


def test_the_lines_about_questions_without_a_caption() -> None:
    videos = (video(CountedSource(3.0), [1.0, math.inf], video_id="short"), video(CountedSource(90.0), [50.0]))
    data = DataSet("rooms", videos, "exact")
    paper = replace(PAPER, sample_fps=1.0)
    methods = {name: make_method(name, paper) for name in ("captions", "selected-tokens", "blind", "captions-and-live")}
    methods |= {f"captions:{seed}": make_method(f"captions:seed={seed}", paper) for seed in (1, 2, 3)}
    without = "they are answered without the video"
    alike = "captions, selected-tokens, captions:1 and 2 more"
    assert uncaptioned_notes(data, methods) == [
        f"1 of 3 questions come before the first caption: {without} ({alike})",
        f"1 of 3 questions are about 1 of 2 videos shorter than a clip, which get no caption: {without} ({alike}); "
        "caption_partial_clip=true captions them",
        "1 of 3 questions come before the first caption: they see the frames so far (captions-and-live)",
        f"1 of 3 questions are about 1 of 2 videos shorter than a clip, which get no caption: {without} "
        "(captions-and-live); caption_partial_clip=true captions them",
    ]


def test_a_length_that_is_not_known_is_not_guessed(tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class Endless(PictureSource):
        def count_frames(self, sample_fps: float) -> Iterator[None] | None:
            return None

    asked = (Question("q", "Where?", "here"),)
    videos = (
        Video("unknown", PictureSource(2), asked),
        Video("endless", Endless(2), asked),
        Video("missing", FileSource(tmp_path / "none.mp4"), (question(1.0, "r"),)),
    )
    assert count_uncaptioned(DataSet("rooms", videos, "exact"), make_method("captions", PAPER)).num_too_short == 0
