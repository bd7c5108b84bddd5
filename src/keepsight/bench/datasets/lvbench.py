"""LVBench: multiple choice about videos of half an hour to two hours, with the time of the evidence.

Source: arXiv 2406.08035; the set is THUDM/LVBench on the Hugging Face hub: 103 videos, 1,549 questions.
"""

import re
from pathlib import Path

from keepsight.bench.datasets.annotation import Annotation, read_clock, valid_spans
from keepsight.bench.datasets.assembling import data_set
from keepsight.bench.datasets.choices import letter_index
from keepsight.bench.datasets.folder import DataFolder, fingerprint, read_lines
from keepsight.bench.datasets.sources import FileSource
from keepsight.bench.records import DataSet, Question, Video
from keepsight.bench.scoring.choice import LETTERS
from keepsight.errors import DataError
from keepsight.spans import Span

HOLDS = (
    "an LVBench folder holds video_info.meta.jsonl (or data/video_info.meta.jsonl) and all_videos/ (or videos/) with "
    "<key>.mp4"
)

_CHOICE = re.compile(r"\s*\n\s*\(([A-Z])\)\s*")


def load_lvbench(folder: Path) -> DataSet:
    """Read all questions.

    The folder holds `video_info.meta.jsonl`, one video a line: `{key, type, video_info, qa: [{uid, question, answer,
    question_type, time_reference}]}`, and `all_videos/` or `videos/` with one file `<key>.mp4` a video, where `key` is
    its YouTube id. `question` ends with the choices, each on a line that begins with `(A)`, `(B)` ...; `answer` is a
    letter.

    Questions are asked after the whole video. The evidence is `time_reference`, such as `14:22-14:28`, if it has that
    form. The task is the question's types, joined: published scores count a question in each of its types.

    Raises:
        DataError: a file is missing or malformed.
    """
    home = DataFolder(folder, HOLDS)
    path = home.file("video_info.meta.jsonl", "data/video_info.meta.jsonl")
    entries = read_lines(path, "video")
    files = home.videos("all_videos", "videos").find_all(entry.text("key") for entry in entries)
    videos = [
        Video(
            entry.text("key"),
            FileSource(files[entry.text("key")]),
            tuple(_question(asked) for asked in entry.objects("qa", "question")),
        )
        for entry in entries
    ]
    return data_set("lvbench", videos, "lvbench", fingerprint(path))


def _question(entry: Annotation) -> Question:
    question, choices = _split(entry)
    right = letter_index(entry, "answer", len(choices))
    return Question(
        question_id=entry.text("uid"),
        question=question,
        answer=choices[right],
        task=", ".join(entry.texts("question_type")),
        choices=choices,
        answer_index=right,
        evidence=_evidence(entry),
    )


def _split(entry: Annotation) -> tuple[str, tuple[str, ...]]:
    """The question alone, and its choices without letters."""
    question, *rest = _CHOICE.split(entry.text("question"))
    letters, choices = "".join(rest[::2]), tuple(choice.strip() for choice in rest[1::2])
    if len(choices) < 2 or letters != LETTERS[: len(choices)]:
        raise DataError(
            f"'question' of {entry.where} must end with lines that begin with (A), (B) ..., got {letters or 'none'!r}"
        )
    return question, choices


def _evidence(entry: Annotation) -> tuple[Span, ...]:
    if not entry.has("time_reference"):
        return ()
    start, _, end = entry.text("time_reference").partition("-")
    times = (read_clock(start), read_clock(end))
    return () if times[0] is None or times[1] is None else valid_spans([(times[0], times[1])])
