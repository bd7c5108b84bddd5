"""Toy videos as files: an H.264 mp4, and beside it everything that is true of it."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from keepsight.errors import SettingError
from keepsight.toyworld.captions import TrueCaption, clip_spans, true_captions
from keepsight.toyworld.questions import ToyQuestion, ask_all
from keepsight.toyworld.render import render_frame
from keepsight.toyworld.simulate import make_story
from keepsight.toyworld.story import DIFFICULTIES, Story


@dataclass(frozen=True)
class ToyVideoSettings:
    """What to make.

    Attributes:
        seed: the story; the same seed and difficulty always give the same video.
        minutes: length, rounded up to whole beats of the story.
        difficulty: a name in `DIFFICULTIES`.
        fps: frames a second of the file.
        size_pixels: side of the square picture; an even number.
        questions_per_kind: how many questions of each kind are written down.
        clip_seconds: length of the clips that the true captions are of.
    """

    seed: int = 0
    minutes: float = 8.0
    difficulty: str = "default"
    fps: int = 4
    size_pixels: int = 192
    questions_per_kind: int = 2
    clip_seconds: float = 32.0

    def __post_init__(self) -> None:
        if self.difficulty not in DIFFICULTIES:
            raise SettingError(f"difficulty is {self.difficulty!r}; allowed are {', '.join(DIFFICULTIES)}")
        if not 0 < self.minutes <= 24 * 60:
            raise SettingError(f"minutes is {self.minutes}; allowed is more than 0 and at most 1440")
        if not 1 <= self.fps <= 60:
            raise SettingError(f"fps is {self.fps}; allowed are 1 to 60")
        if not 64 <= self.size_pixels <= 1024 or self.size_pixels % 2:
            raise SettingError(f"size_pixels is {self.size_pixels}; allowed are even numbers from 64 to 1024")
        if self.seed < 0:
            raise SettingError(f"seed is {self.seed}; allowed are 0 and more")
        if not self.clip_seconds > 0:
            raise SettingError(f"clip_seconds is {self.clip_seconds}; allowed is more than 0")


@dataclass(frozen=True)
class ToyTruth:
    """What is true of a toy video: its story, the caption of each clip and questions with answers."""

    story: Story
    captions: tuple[TrueCaption, ...]
    questions: tuple[ToyQuestion, ...]

    def record(self, video_path: Path) -> dict[str, object]:
        """The truth as data that JSON can hold; times are in seconds."""
        return {
            "video_id": video_path.stem,
            "video_path": video_path.name,
            "time_unit": "seconds",
            "duration": self.story.duration_seconds,
            "seed": self.story.seed,
            "difficulty": asdict(self.story.difficulty),
            "clips": [
                {
                    "start_time": caption.span.start_seconds,
                    "end_time": caption.span.end_seconds,
                    "caption": caption.text,
                    "needs_past": [clause.text for clause in caption.clauses if clause.needs_past],
                }
                for caption in self.captions
            ],
            "questions": [self._question_record(question) for question in self.questions],
        }

    def _question_record(self, question: ToyQuestion) -> dict[str, object]:
        spans = [self.captions[clip].span for clip in question.evidence_clips]
        return {
            "task": question.task,
            "question": question.question,
            "answer": question.answer,
            "ask_time": question.ask_seconds,
            "evidence": [[span.start_seconds, span.end_seconds] for span in spans],
        }


def make_truth(settings: ToyVideoSettings) -> ToyTruth:
    """Story, captions and questions of a toy video, without its pictures."""
    difficulty = DIFFICULTIES[settings.difficulty]
    num_beats = max(int(np.ceil(settings.minutes * 60 / difficulty.beat_seconds)), 1)
    story = make_story(settings.seed, num_beats, difficulty)
    captions = true_captions(story, clip_spans(story.duration_seconds, settings.clip_seconds))
    questions = ask_all(captions, settings.seed, settings.questions_per_kind)
    return ToyTruth(story, tuple(captions), tuple(questions))


def make_video(
    out_path: Path, settings: ToyVideoSettings | None = None, *, progress: Callable[[float], None] | None = None
) -> ToyTruth:
    """Write a toy video, and its truth as JSON beside it (`kitchen.mp4` and `kitchen.json`).

    Args:
        out_path: the mp4 to write; its folder must exist.
        settings: what to make.
        progress: called with the share that is done, now and then.

    Raises:
        SettingError: the folder does not exist or the name does not end in `.mp4`.
    """
    settings = settings or ToyVideoSettings()
    if out_path.suffix.lower() != ".mp4":
        raise SettingError(f"a toy video is an .mp4 file, not {out_path.name!r}")
    if not out_path.parent.is_dir():
        raise SettingError(f"there is no folder {out_path.parent} to write {out_path.name} into")
    truth = make_truth(settings)
    _encode(out_path, _frames(truth.story, settings), settings, truth.story.duration_seconds, progress)
    out_path.with_suffix(".json").write_text(json.dumps(truth.record(out_path), indent=1) + "\n", encoding="utf-8")
    return truth


def _frames(story: Story, settings: ToyVideoSettings) -> Iterator[np.ndarray]:
    for number in range(round(story.duration_seconds * settings.fps)):
        yield render_frame(story, number / settings.fps, settings.size_pixels)


def _encode(
    out_path: Path,
    frames: Iterator[np.ndarray],
    settings: ToyVideoSettings,
    duration_seconds: float,
    progress: Callable[[float], None] | None,
) -> None:
    num_frames = round(duration_seconds * settings.fps)
    with av.open(str(out_path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=Fraction(settings.fps), options={"crf": "20", "preset": "fast"})
        stream.width = stream.height = settings.size_pixels
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1  # the same bytes whatever the machine
        for number, pixels in enumerate(frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
            if progress is not None and number % 100 == 0:
                progress(number / num_frames)
        container.mux(stream.encode(None))
    if progress is not None:
        progress(1.0)
