"""EgoSchema: five choices about three minutes of life, of which the published 500 answers are read.

Source: arXiv 2308.09126, github.com/egoschema/EgoSchema. The answers to the other 4,531 of 5,031 questions are on the
authors' server only.
"""

from collections.abc import Collection
from pathlib import Path

from keepsight.bench.datasets.annotation import Annotation, annotation
from keepsight.bench.datasets.assembling import data_set
from keepsight.bench.datasets.choices import index_within
from keepsight.bench.datasets.folder import DataFolder, fingerprint, read_json, read_objects
from keepsight.bench.datasets.sources import FileSource
from keepsight.bench.records import DataSet, Question, Video
from keepsight.errors import DataError

HOLDS = "an EgoSchema folder holds questions.json, subset_answers.json and videos/ with <q_uid>.mp4"
CHOICES = tuple(f"option {index}" for index in range(5))


def load_egoschema(folder: Path) -> DataSet:
    """Read the questions whose answers are published, one a video.

    The folder holds `questions.json`, a list of `{q_uid, google_drive_id, question, option 0, ..., option 4}`,
    `subset_answers.json`, which maps a `q_uid` to the index of the correct option, and `videos/` with one file
    `<q_uid>.mp4` a video. Videos of other questions need not be there.

    Every question is asked after the whole video.

    Raises:
        DataError: a file is missing or malformed, or an answer has no question.
    """
    home = DataFolder(folder, HOLDS)
    paths = home.file("questions.json"), home.file("subset_answers.json")
    answers = annotation(read_json(paths[1]), paths[1].name)
    entries = {entry.text("q_uid"): entry for entry in read_objects(paths[0], "question")}
    _require_questions(answers, entries)
    files = home.videos("videos").find_all(answers.fields)
    videos = [Video(uid, FileSource(files[uid]), (_question(entries[uid], answers, uid),)) for uid in answers.fields]
    return data_set("egoschema", videos, "choice", ", ".join(fingerprint(path) for path in paths))


def _require_questions(answers: Annotation, entries: Collection[str]) -> None:
    if not answers.fields:
        raise DataError(f"{answers.where} must have at least one answer, got none")
    unasked = [uid for uid in answers.fields if uid not in entries]
    if unasked:
        raise DataError(
            f"every answer of {answers.where} must have its question in questions.json, got {len(unasked)} without, "
            f"first {unasked[0]!r}"
        )


def _question(entry: Annotation, answers: Annotation, uid: str) -> Question:
    choices = tuple(entry.text(name) for name in CHOICES)
    right = index_within(answers, uid, len(choices))
    return Question(
        question_id=uid,
        question=entry.text("question"),
        answer=choices[right],
        choices=choices,
        answer_index=right,
    )
