"""Video-MME: multiple choice about videos of 11 seconds to an hour, without subtitles.

Source: arXiv 2405.21075; the set is lmms-lab/Video-MME on the Hugging Face hub: 900 videos, 2,700 questions.
"""

from pathlib import Path

from keepsight.bench.datasets.annotation import Annotation
from keepsight.bench.datasets.assembling import data_set, grouped, whole_files
from keepsight.bench.datasets.choices import letter_index, without_letters
from keepsight.bench.datasets.folder import DataFolder, fingerprint, read_lines
from keepsight.bench.records import DataSet, Question

HOLDS = "a Video-MME folder holds videomme.jsonl and data/ (or videos/) with <videoID>.mp4"


def load_videomme(folder: Path) -> DataSet:
    """Read all questions.

    The folder holds `videomme.jsonl`, the published Parquet table with one row a line: `video_id, duration, domain,
    sub_category, url, videoID, question_id, task_type, question, options, answer`. In Python, pandas and pyarrow make
    it: `read_parquet("videomme/test-00000-of-00001.parquet").to_json("videomme.jsonl", orient="records", lines=True)`.
    The videos are in `data/` or `videos/`, one file `<videoID>.mp4` each.

    Questions are asked after the whole video. The task is `duration` (short, medium or long), by which scores are
    published. The letters before the four options are taken off; the correct one is the letter `answer`.

    Raises:
        DataError: a file is missing or malformed.
    """
    home = DataFolder(folder, HOLDS)
    path = home.file("videomme.jsonl")
    entries = grouped(read_lines(path, "question"), lambda entry: entry.text("videoID"))
    files = home.videos("data", "videos").find_all(entries)
    return data_set("videomme", whole_files(entries, files, _question), "videomme", fingerprint(path))


def _question(entry: Annotation) -> Question:
    choices = without_letters(entry.texts("options"))
    right = letter_index(entry, "answer", len(choices))
    return Question(
        question_id=entry.text("question_id"),
        question=entry.text("question"),
        answer=choices[right],
        task=entry.text("duration"),
        choices=choices,
        answer_index=right,
    )
