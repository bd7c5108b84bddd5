"""The toy world as a data set: generated from seeds, without download, with known truth.

The split is fixed: training seeds start at 2^32, those of `validation` (the model card's figures) at 50,000, and those
of `test`, on which nothing was tuned, at 60,000. Frames are rendered at the sampled instants, without files or
decoding.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from keepsight.bench.datasets.toy_frames import MarkedFrame, marks_at
from keepsight.bench.records import DataSet, Question, Video
from keepsight.errors import SettingError
from keepsight.incoming import did_you_mean
from keepsight.spans import Span
from keepsight.toyworld.captions import TrueCaption, true_captions
from keepsight.toyworld.files import ToyTruth, ToyVideoSettings, make_truth
from keepsight.toyworld.memory_questions import memory_questions
from keepsight.toyworld.questions import NOW_QUESTIONS, QUESTION_KINDS, ToyQuestion, ask, things_in_picture
from keepsight.toyworld.render import render_frame
from keepsight.toyworld.space_questions import space_questions
from keepsight.toyworld.story import Story
from keepsight.toyworld.worlds import find_world
from keepsight.video.sampling import SampleGrid

SPLITS = {"validation": 50_000, "test": 60_000}
"""Seed of the first video of each split; the others follow."""

QUESTION_SETS = ("general", "memory", "space")
"""Questions of all kinds at random times, those that only memory can answer (`toyworld.memory_questions`), or those
about places in the picture (`toyworld.space_questions`)."""

MAX_VIDEOS = 1_000
CLIP_SECONDS = 32.0
"""Length of clips for true captions."""


@dataclass(frozen=True)
class ToyWorldSettings:
    """Toy videos and their questions.

    Attributes:
        difficulty: a name in `worlds.WORLDS`.
        num_videos: number of videos.
        minutes: length of each.
        split: a name in `SPLITS`.
        questions_per_kind: questions per kind, each at the end of a random clip.
        present_questions: questions about the present, each at a random frame inside a clip; none with `ask_minutes`.
        ask_minutes: if given, ask only at these times, `questions_per_kind` of each kind at each.
        first_video: index of the first video in the split.
        questions: a name in `QUESTION_SETS`; of `memory`, `questions_per_kind` with each answer. Of `space`, videos
            without anything unambiguous to ask are left out.

    Raises:
        SettingError: a value is out of range.
    """

    difficulty: str = "default"
    num_videos: int = 20
    minutes: float = 8.0
    split: str = "test"
    questions_per_kind: int = 2
    present_questions: int = 2
    ask_minutes: tuple[float, ...] = ()
    first_video: int = 0
    questions: str = "general"

    def __post_init__(self) -> None:
        find_world(self.difficulty)
        if self.questions not in QUESTION_SETS:
            near = did_you_mean(self.questions, QUESTION_SETS)
            raise SettingError(f"questions must be one of {', '.join(QUESTION_SETS)}, got {self.questions!r}{near}")
        if self.questions != "general" and self.ask_minutes:
            raise SettingError(f"questions of {self.questions} have times of their own: leave ask_minutes out")
        if self.split not in SPLITS:
            near = did_you_mean(self.split, SPLITS)
            raise SettingError(f"split must be one of {', '.join(SPLITS)}, got {self.split!r}{near}")
        if self.num_videos < 1 or self.first_video < 0 or self.first_video + self.num_videos > MAX_VIDEOS:
            raise SettingError(
                f"num_videos must be at least 1 and end within the split's {MAX_VIDEOS} videos, got {self.num_videos} "
                f"from video {self.first_video}"
            )
        if self.questions_per_kind < 0 or self.present_questions < 0:
            raise SettingError("numbers of questions must be at least 0")
        if any(not 0 < minutes <= self.minutes for minutes in self.ask_minutes):
            raise SettingError(
                f"ask_minutes must lie within the video's {self.minutes} minutes, got {self.ask_minutes}"
            )


@dataclass(frozen=True)
class ToySource:
    """Frames of one toy video, rendered on demand.

    Attributes:
        seed: of the story.
        minutes: length.
        difficulty: a name in `worlds.WORLDS`.
    """

    seed: int
    minutes: float
    difficulty: str

    @cached_property
    def truth(self) -> ToyTruth:
        """Events and true captions of each clip; computed once and sent to other processes."""
        return make_truth(self._video)

    @property
    def story(self) -> Story:
        """Events of the video."""
        return self.truth.story

    @property
    def captions(self) -> tuple[TrueCaption, ...]:
        """True caption of each clip."""
        return self.truth.captions

    def count_frames(self, sample_fps: float) -> int:
        """Number of frames at a rate."""
        return SampleGrid(sample_fps).index_from(Fraction(self.story.duration_seconds))

    def frames(self, sample_fps: float) -> Iterator[MarkedFrame]:
        """Pictures of the story, with what they show."""
        size_pixels = self._video.size_pixels
        grid = SampleGrid(sample_fps)
        for number in range(self.count_frames(sample_fps)):
            seconds = float(grid.instant(number))
            picture = render_frame(self.story, seconds, size_pixels)
            yield MarkedFrame(picture, seconds, marks=marks_at(self.story, seconds))

    @property
    def _video(self) -> ToyVideoSettings:
        return ToyVideoSettings(self.seed, self.minutes, self.difficulty, questions_per_kind=0)


def knows_truth(data_set: DataSet) -> bool:
    """Whether each frame's content and each clip's true caption are known."""
    return all(isinstance(video.source, ToySource) for video in data_set.videos)


def make_toyworld(settings: ToyWorldSettings | None = None) -> DataSet:
    """The toy world as a data set, scored by exact match.

    Raises:
        SettingError: there are no questions.
    """
    settings = settings or ToyWorldSettings()
    first = SPLITS[settings.split] + settings.first_video
    made = (_video(settings, seed) for seed in range(first, first + settings.num_videos))
    videos = tuple(video for video in made if video is not None)
    if not videos:
        raise SettingError(
            f"nothing to ask about places in the picture: give the videos more than {settings.minutes} minutes"
        )
    name = f"toyworld-{settings.difficulty}" + ("" if settings.questions == "general" else f"-{settings.questions}")
    return DataSet(name, videos, scoring="exact", settings=repr(settings))


def _video(settings: ToyWorldSettings, seed: int) -> Video | None:
    """A video with its questions; None if no place in it can be asked about."""
    source = ToySource(seed, settings.minutes, settings.difficulty)
    rng = random.Random(seed)
    video_id = f"{settings.difficulty}-{seed}"
    if settings.questions == "memory":
        listed = _memory_questions(settings, source)
    elif settings.questions == "space":
        spans = [caption.span for caption in source.captions]
        listed = space_questions(source.story, spans, seed, settings.questions_per_kind)
    else:
        listed = [*_past_questions(settings, source, rng), *_present_questions(settings, source, rng)]
    asked = {(question.question, question.ask_seconds): question for question in listed}
    if not asked and settings.questions == "memory":
        raise SettingError(f"nothing comes twice in video {video_id}: give it more than {settings.minutes} minutes")
    if not asked and settings.questions == "space":
        return None
    if not asked:
        raise SettingError("questions_per_kind or present_questions must be above 0, got 0 for both")
    questions = tuple(
        _question(f"{video_id}/{number}", question, source) for number, question in enumerate(asked.values())
    )
    return Video(video_id, source, questions)


def _memory_questions(settings: ToyWorldSettings, source: ToySource) -> list[ToyQuestion]:
    """Questions for a watcher that remembers everything, whatever the world's captions call past."""
    spans = [caption.span for caption in source.captions]
    return memory_questions(true_captions(source.story, spans, None), source.seed, settings.questions_per_kind)


def _past_questions(settings: ToyWorldSettings, source: ToySource, rng: random.Random) -> Iterator[ToyQuestion]:
    """Questions at ends of clips, from the third clip on."""
    captions = source.captions
    times = [max(1, int(minutes * 60 // CLIP_SECONDS)) for minutes in settings.ask_minutes]
    for task in QUESTION_KINDS:
        for until in times * settings.questions_per_kind if times else [0] * settings.questions_per_kind:
            until = until or rng.randint(min(3, len(captions)), len(captions))
            question = ask(captions[:until], task, rng)
            if question is not None:
                yield question


def _present_questions(settings: ToyWorldSettings, source: ToySource, rng: random.Random) -> Iterator[ToyQuestion]:
    """Questions about the present inside a clip, when its frames have no caption yet."""
    for _ in range(0 if settings.ask_minutes else settings.present_questions):
        clip = rng.randrange(1, max(2, len(source.captions)))
        shown = clip * CLIP_SECONDS + 2.0 * rng.randrange(3, 14)
        if shown < source.story.duration_seconds:
            answer = things_in_picture(source.story, shown)
            yield ToyQuestion("right now", rng.choice(NOW_QUESTIONS), answer, shown + 1.0, (clip,))


def _question(question_id: str, question: ToyQuestion, source: ToySource) -> Question:
    spans = [source.captions[clip].span for clip in question.evidence_clips]
    if question.task == "right now":
        spans = [Span(question.ask_seconds - 1.0, question.ask_seconds)]
    return Question(
        question_id=question_id,
        question=question.question,
        answer=question.answer,
        ask_seconds=question.ask_seconds,
        task=question.task,
        evidence=tuple(spans),
    )
