"""StreamingBench, real-time visual understanding: multiple choice asked at a moment of the video.

Source: arXiv 2411.03628. Its other parts are not read: omni-source understanding needs the sound, sequential questions
refer to the answers before them, and proactive output scores the moment of speaking, not the answer.
"""

from pathlib import Path, PurePosixPath

from keepsight.bench.datasets.annotation import Annotation
from keepsight.bench.datasets.assembling import data_set, grouped
from keepsight.bench.datasets.choices import letter_index, without_letters
from keepsight.bench.datasets.folder import DataFolder, fingerprint, read_objects
from keepsight.bench.datasets.sources import FileSource
from keepsight.bench.records import DataSet, Question, Video

HOLDS = "a StreamingBench folder holds questions_real.json and videos/ with the files that it names"


def load_streamingbench(folder: Path) -> DataSet:
    """Read the real-time part: 2,500 questions.

    The folder holds `questions_real.json`, a list of `{time, questions: [{task_type, question, time_stamp, answer,
    options, required_ability}], video_categories, video_path}` in which several objects are about one video, and
    `videos/` with the files that `video_path` names, `sample_1_real.mp4` and so on.

    A question is asked at `time_stamp`, which counts from the start of the video; `time`, the stretch that its author
    was shown, is not read, as some stamps lie outside it. The letters before the options are taken off.

    Raises:
        DataError: a file is missing or malformed.
    """
    home = DataFolder(folder, HOLDS)
    path = home.file("questions_real.json")
    parts = grouped(read_objects(path, "entry"), lambda part: part.text("video_path"))
    files = home.videos("videos").find_all(parts)
    videos = [_video(written, files[written], entries) for written, entries in parts.items()]
    return data_set("streamingbench", videos, "streamingbench", fingerprint(path))


def _video(written: str, file: Path, entries: list[Annotation]) -> Video:
    video_id = PurePosixPath(written).stem
    asked = [question for entry in entries for question in entry.objects("questions", "question")]
    questions = tuple(_question(question, f"{video_id}/{index:02d}") for index, question in enumerate(asked))
    return Video(video_id, FileSource(file), questions)


def _question(entry: Annotation, question_id: str) -> Question:
    choices = without_letters(entry.texts("options"))
    right = letter_index(entry, "answer", len(choices))
    return Question(
        question_id=question_id,
        question=entry.text("question"),
        answer=choices[right],
        ask_seconds=entry.clock_seconds("time_stamp"),
        task=entry.text("task_type"),
        choices=choices,
        answer_index=right,
    )
