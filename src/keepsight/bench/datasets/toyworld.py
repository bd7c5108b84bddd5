"""The toy world as a data set: made anew from seeds each time; nothing to download, and everything is known.

The split is fixed: seeds of training begin at 2^32, those of `validation` (the model card's figures) at 50,000, and
those of `test`, on which nothing was ever tuned, at 60,000. Frames are rendered at the instants that a method samples,
so a video costs no file and no decoding.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from keepsight.bench.records import DataSet, Question, Video
from keepsight.errors import SettingError
from keepsight.spans import Span
from keepsight.toyworld.captions import TrueCaption
from keepsight.toyworld.files import ToyTruth, ToyVideoSettings, make_truth
from keepsight.toyworld.questions import NOW_QUESTIONS, QUESTION_KINDS, ToyQuestion, ask, things_in_picture
from keepsight.toyworld.render import render_frame
from keepsight.toyworld.story import DIFFICULTIES, Story
from keepsight.video import Frame
from keepsight.video.sampling import SampleGrid

SPLITS = {"validation": 50_000, "test": 60_000}
"""Seed of the first video of each split; the others follow one by one."""

MAX_VIDEOS = 1_000
CLIP_SECONDS = 32.0
"""Length of the clips that the true captions are of."""


@dataclass(frozen=True)
class ToyWorldSettings:
    """Which toy videos, and what is asked about them.

    Attributes:
        difficulty: a name in `story.DIFFICULTIES`.
        num_videos: how many.
        minutes: length of each.
        split: a name in `SPLITS`.
        questions_per_kind: how many of each kind are asked, each at the end of a random clip.
        present_questions: how many times it is asked what is there right now, at a random frame inside a clip; not
            where `ask_minutes` are given.
        ask_minutes: where given, questions are asked at these times only, `questions_per_kind` of each kind at each.
        first_video: number in the split of the first video.

    Raises:
        SettingError: a value is outside what is allowed.
    """

    difficulty: str = "default"
    num_videos: int = 20
    minutes: float = 8.0
    split: str = "test"
    questions_per_kind: int = 2
    present_questions: int = 2
    ask_minutes: tuple[float, ...] = ()
    first_video: int = 0

    def __post_init__(self) -> None:
        if self.difficulty not in DIFFICULTIES:
            raise SettingError(f"difficulty is one of {', '.join(DIFFICULTIES)}, not {self.difficulty!r}")
        if self.split not in SPLITS:
            raise SettingError(f"split is one of {', '.join(SPLITS)}, not {self.split!r}")
        if self.num_videos < 1 or self.first_video < 0 or self.first_video + self.num_videos > MAX_VIDEOS:
            raise SettingError(
                f"a split has {MAX_VIDEOS} videos, of which 1 or more are taken, not {self.num_videos} "
                f"from number {self.first_video}"
            )
        if self.questions_per_kind < 0 or self.present_questions < 0:
            raise SettingError("numbers of questions are 0 or more")
        if any(not 0 < minutes <= self.minutes for minutes in self.ask_minutes):
            raise SettingError(f"ask_minutes lie in the video of {self.minutes} minutes, not at {self.ask_minutes}")


@dataclass(frozen=True)
class ToySource:
    """Frames of one toy video, rendered when they are wanted.

    Attributes:
        seed: of the story.
        minutes: length.
        difficulty: a name in `story.DIFFICULTIES`.
    """

    seed: int
    minutes: float
    difficulty: str

    @cached_property
    def truth(self) -> ToyTruth:
        """What happens, and the true caption of each clip; it is made once and goes along to other processes."""
        return make_truth(self._video)

    @property
    def story(self) -> Story:
        """What happens."""
        return self.truth.story

    @property
    def captions(self) -> tuple[TrueCaption, ...]:
        """The true caption of each clip."""
        return self.truth.captions

    def frames(self, sample_fps: float) -> Iterator[Frame]:
        """See `FrameSource.frames`."""
        size_pixels = self._video.size_pixels
        grid = SampleGrid(sample_fps)
        for number in range(grid.index_from(Fraction(self.story.duration_seconds))):
            seconds = float(grid.instant(number))
            yield Frame(render_frame(self.story, seconds, size_pixels), seconds)

    @property
    def _video(self) -> ToyVideoSettings:
        return ToyVideoSettings(self.seed, self.minutes, self.difficulty, questions_per_kind=0)


def make_toyworld(settings: ToyWorldSettings | None = None) -> DataSet:
    """The toy world as a data set, scored by exact match.

    Raises:
        SettingError: nothing is asked of a video.
    """
    settings = settings or ToyWorldSettings()
    first = SPLITS[settings.split] + settings.first_video
    videos = tuple(_video(settings, seed) for seed in range(first, first + settings.num_videos))
    return DataSet(f"toyworld-{settings.difficulty}", videos, scoring="exact", settings=repr(settings))


def _video(settings: ToyWorldSettings, seed: int) -> Video:
    source = ToySource(seed, settings.minutes, settings.difficulty)
    rng = random.Random(seed)
    video_id = f"{settings.difficulty}-{seed}"
    asked = {
        (question.question, question.ask_seconds): question
        for question in (*_past_questions(settings, source, rng), *_present_questions(settings, source, rng))
    }
    if not asked:
        raise SettingError("a data set needs questions: questions_per_kind and present_questions are both 0")
    questions = tuple(
        _question(f"{video_id}/{number}", question, source) for number, question in enumerate(asked.values())
    )
    return Video(video_id, source, questions)


def _past_questions(settings: ToyWorldSettings, source: ToySource, rng: random.Random) -> Iterator[ToyQuestion]:
    """Questions at the ends of clips, from the third clip on."""
    captions = source.captions
    times = [max(1, int(minutes * 60 // CLIP_SECONDS)) for minutes in settings.ask_minutes]
    for task in QUESTION_KINDS:
        for until in times * settings.questions_per_kind if times else [0] * settings.questions_per_kind:
            until = until or rng.randint(min(3, len(captions)), len(captions))
            question = ask(captions[:until], task, rng)
            if question is not None:
                yield question


def _present_questions(settings: ToyWorldSettings, source: ToySource, rng: random.Random) -> Iterator[ToyQuestion]:
    """What is there right now, asked inside a clip, when its frames have no caption yet."""
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
