"""Toy videos as files: an H.264 mp4 with its ground truth next to it."""

import json
import secrets
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
from keepsight.toyworld.story import Story
from keepsight.toyworld.worlds import find_world
from keepsight.whole_file import open_private, write_whole

_BT601 = 6  # ITU-T H.273: SMPTE 170M


@dataclass(frozen=True)
class ToyVideoSettings:
    """Toy video to make.

    Attributes:
        seed: seed of the story; equal seed and difficulty give equal videos.
        minutes: length, rounded up to whole beats of the story.
        difficulty: a name in `worlds.WORLDS`.
        fps: frames per second of the file.
        size_pixels: side of the square picture; an even number.
        questions_per_kind: questions per kind in the ground truth.
        clip_seconds: length of clips for true captions.
    """

    seed: int = 0
    minutes: float = 8.0
    difficulty: str = "default"
    fps: int = 4
    size_pixels: int = 192
    questions_per_kind: int = 2
    clip_seconds: float = 32.0

    def __post_init__(self) -> None:
        find_world(self.difficulty)
        if not 0 < self.minutes <= 24 * 60:
            raise SettingError(f"minutes must be above 0 and at most 1440, got {self.minutes}")
        if not 1 <= self.fps <= 60:
            raise SettingError(f"fps must be 1 to 60, got {self.fps}")
        if not 64 <= self.size_pixels <= 1024 or self.size_pixels % 2:
            raise SettingError(f"size_pixels must be an even number from 64 to 1024, got {self.size_pixels}")
        if self.seed < 0:
            raise SettingError(f"seed must be at least 0, got {self.seed}")
        if not self.clip_seconds > 0:
            raise SettingError(f"clip_seconds must be above 0, got {self.clip_seconds}")


@dataclass(frozen=True)
class ToyTruth:
    """Ground truth of a toy video: story, captions and questions with answers."""

    story: Story
    captions: tuple[TrueCaption, ...]
    questions: tuple[ToyQuestion, ...]

    def record(self, video_path: Path) -> dict[str, object]:
        """Ground truth as JSON data; times in seconds."""
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
    """Ground truth of a toy video, without rendering it."""
    difficulty = find_world(settings.difficulty)
    num_beats = max(int(np.ceil(settings.minutes * 60 / difficulty.beat_seconds)), 1)
    story = make_story(settings.seed, num_beats, difficulty)
    spans = clip_spans(story.duration_seconds, settings.clip_seconds)
    captions = true_captions(story, spans, difficulty.memory_clips)
    questions = ask_all(captions, settings.seed, settings.questions_per_kind)
    return ToyTruth(story, tuple(captions), tuple(questions))


def make_video(
    out_path: Path, settings: ToyVideoSettings | None = None, *, progress: Callable[[float], None] | None = None
) -> ToyTruth:
    """Write a toy video, and its ground truth as JSON next to it (`kitchen.mp4` and `kitchen.json`).

    Args:
        out_path: the mp4 to write; its folder must exist.
        settings: what to make.
        progress: called with the finished fraction.

    Raises:
        SettingError: the folder does not exist, the name does not end in `.mp4`, or another file has a name that the
            video or its ground truth would take.
    """
    settings = settings or ToyVideoSettings()
    if out_path.suffix.lower() != ".mp4":
        raise SettingError(f"a toy video must be an .mp4 file, got {out_path.name!r}")
    if not out_path.parent.is_dir():
        raise SettingError(f"cannot write {out_path.name}: no such folder {out_path.parent}")
    _check_replaceable(out_path)
    truth = make_truth(settings)
    part = out_path.with_name(f".{out_path.stem}-{secrets.token_hex(4)}.mp4")  # a full disk leaves the old file intact
    try:
        open_private(part).close()
        _encode(part, _frames(truth.story, settings), settings, truth.story.duration_seconds, progress)
        write_whole(out_path.with_suffix(".json"), f"{json.dumps(truth.record(out_path), indent=1)}\n".encode())
        part.replace(out_path)  # last: who finds the video finds its truth
    finally:
        part.unlink(missing_ok=True)
    return truth


def _check_replaceable(out_path: Path) -> None:
    """Refuse to replace files other than a toy video and its ground truth."""
    truth_path = out_path.with_suffix(".json")
    if truth_path.exists() or out_path.exists():
        try:
            is_toy = json.loads(truth_path.read_bytes())["video_path"] == out_path.name
        except (OSError, ValueError, KeyError, TypeError):
            is_toy = False
        if not is_toy:
            other = out_path if out_path.exists() else truth_path
            raise SettingError(f"{other} exists and is not a toy video with its ground truth; give another name")


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
        stream.codec_context.colorspace = _BT601  # FFmpeg's conversion, where large frames would be taken for BT.709
        stream.codec_context.thread_count = 1  # deterministic output on any machine
        for number, pixels in enumerate(frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
            if progress is not None and number % 100 == 0:
                progress(number / num_frames)
        container.mux(stream.encode(None))
    if progress is not None:
        progress(1.0)
