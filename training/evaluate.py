"""Evaluate a model on held-out toy videos through the whole loop: file, watcher, journal, answers.

`python -m training.evaluate --model tiny --videos 200` prints the table of the model card.
"""

import argparse
import json
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.progress import track

from keepsight.engine.watcher import Watcher
from keepsight.method import prompts
from keepsight.method.protocol import AnswerRequest, VideoModel
from keepsight.models.loading import load_model
from keepsight.settings import Settings
from keepsight.toyworld.files import ToyVideoSettings, make_truth, make_video
from keepsight.toyworld.scoring import AnswerScores, CaptionScores

FIRST_HELD_OUT_SEED = 50_000


@dataclass(frozen=True)
class EvaluationSettings:
    """Settings of an evaluation.

    Attributes:
        model: bundled name or folder.
        first_seed: seed of the first video; training seeds start at 2^32.
        minutes: length of each video.
        difficulty: difficulty of the toy world.
        memory_clips: length of the visual memory; 0 disables recurrence.
        with_questions: ask the video's questions, each at its ask time.
    """

    model: str = "tiny"
    first_seed: int = FIRST_HELD_OUT_SEED
    minutes: float = 8.0
    difficulty: str = "default"
    memory_clips: int = 16
    with_questions: bool = True


Said = tuple[list[str], list[str]]
"""Captions of the clips of a video, and answers to its questions, in order."""


def watch_one(model: VideoModel, settings: EvaluationSettings, number: int) -> Said:
    """Generate one video, watch its file, and ask its questions."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "video.mp4"
        truth = make_video(path, _video(settings, number))
        watcher = Watcher(model, Path(folder) / "journal.db", Settings(memory_clips=settings.memory_clips))
        with watcher:
            captions = [moment.caption for moment in watcher.watch(path)]
            questions = truth.questions if settings.with_questions else ()
            answers = [watcher.ask(question.question, question.ask_seconds).text for question in questions]
    return captions, answers


def answer_from_truth(model: VideoModel, settings: EvaluationSettings, number: int) -> list[str]:
    """Answers to a video's questions from its true captions: tests reading alone."""
    truth = make_truth(_video(settings, number))
    answers = []
    for question in truth.questions:
        known = [caption for caption in truth.captions if caption.span.end_seconds <= question.ask_seconds]
        context = prompts.captions_context(prompts.caption_line(caption.span, caption.text) for caption in known)
        answers.append("".join(model.answer(AnswerRequest(context, question.question))))
    return answers


def _video(settings: EvaluationSettings, number: int) -> ToyVideoSettings:
    return ToyVideoSettings(settings.first_seed + number, settings.minutes, settings.difficulty, fps=2)


def _work(settings: EvaluationSettings, numbers: list[int]) -> list[tuple[int, Said, list[str]]]:
    torch.set_num_threads(1)
    model = load_model(settings.model)
    results = []
    for number in numbers:
        from_truth = answer_from_truth(model, settings, number) if settings.with_questions else []
        results.append((number, watch_one(model, settings, number), from_truth))
    return results


def evaluate(settings: EvaluationSettings, num_videos: int, processes: int) -> dict[str, object]:
    """Scores over held-out videos, on several single-threaded processes."""
    captions, answers, reading = CaptionScores(), AnswerScores(), AnswerScores()
    batches = [list(range(num_videos))[start : start + 2] for start in range(0, num_videos, 2)]
    started = time.monotonic()
    with ProcessPoolExecutor(processes) as pool:
        futures = [pool.submit(_work, settings, batch) for batch in batches]
        for future in track(futures, description="Watching held-out videos"):
            for number, (said, answered), from_truth in future.result():
                truth = make_truth(_video(settings, number))
                for caption, true in zip(said, truth.captions, strict=True):
                    captions.add(caption, true)
                for scores, given in ((answers, answered), (reading, from_truth)):
                    for answer, question in zip(given, truth.questions if given else (), strict=True):
                        scores.add(answer, question)
    return {
        "settings": repr(settings),
        "videos": num_videos,
        "clips": captions.places.cases,
        "past-dependent clauses": captions.past.cases,
        "questions asked": answers.overall.cases,
        "minutes taken": round((time.monotonic() - started) / 60, 1),
        "captions": _rounded(captions.table()),
        "answers through the loop": _rounded(answers.table()),
        "answers from true captions": _rounded(reading.table()),
    }


def _rounded(table: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 3) for name, value in table.items()}


def main() -> None:
    """Print the scores as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--videos", type=int, default=200)
    parser.add_argument("--first-seed", type=int, default=FIRST_HELD_OUT_SEED)
    parser.add_argument("--difficulty", default="default")
    parser.add_argument("--memory-clips", type=int, default=16)
    parser.add_argument("--no-questions", action="store_true")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    settings = EvaluationSettings(
        model=arguments.model,
        first_seed=arguments.first_seed,
        difficulty=arguments.difficulty,
        memory_clips=arguments.memory_clips,
        with_questions=not arguments.no_questions,
    )
    text = json.dumps(evaluate(settings, arguments.videos, arguments.processes), indent=1)
    print(text)  # noqa: T201
    if arguments.out:
        arguments.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
