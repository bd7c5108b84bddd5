"""CG-Bench: multiple choice about videos of 10 to 80 minutes, with spans of the clues.

Source: arXiv 2412.12075. A reply that names several letters is wrong here; the published script counts it as right if
the correct one is among them.
"""

from pathlib import Path

from keepsight.bench.datasets.annotation import Annotation
from keepsight.bench.datasets.assembling import data_set, grouped, whole_files
from keepsight.bench.datasets.choices import letter_index
from keepsight.bench.datasets.folder import DataFolder, fingerprint, read_objects
from keepsight.bench.records import DataSet, Question

_HOLDS = "a CG-Bench folder holds {} and cg_videos_720p/ (or videos/) with <video_uid>.mp4"


def load_cgbench(folder: Path) -> DataSet:
    """Read all 12,129 questions.

    The folder holds `cgbench.json`, a list of `{qid, video_uid, question, answer, choices, right_answer,
    clue_intervals, domain, sub_category, duration}`, and `cg_videos_720p/` or `videos/` with one file `<video_uid>.mp4`
    a video.

    Questions are asked after the whole video; its evidence is `clue_intervals`, its task is `sub_category`. The correct
    choice is the letter `right_answer`.

    Raises:
        DataError: a file is missing or malformed.
    """
    return _load("cgbench", folder, "cgbench.json")


def load_cgbench_mini(folder: Path) -> DataSet:
    """Read the 3,000 questions of the small part: as `load_cgbench`, from `cgbench_mini.json`."""
    return _load("cgbench-mini", folder, "cgbench_mini.json")


def _load(name: str, folder: Path, file: str) -> DataSet:
    home = DataFolder(folder, _HOLDS.format(file))
    path = home.file(file)
    entries = grouped(read_objects(path, "question"), lambda entry: entry.text("video_uid"))
    files = home.videos("cg_videos_720p", "videos").find_all(entries)
    return data_set(name, whole_files(entries, files, _question), "choice", fingerprint(path))


def _question(entry: Annotation) -> Question:
    choices = entry.texts("choices")
    right = letter_index(entry, "right_answer", len(choices))
    return Question(
        question_id=entry.text("qid"),
        question=entry.text("question"),
        answer=choices[right],
        task=entry.text("sub_category"),
        choices=choices,
        answer_index=right,
        evidence=entry.spans("clue_intervals"),
    )
