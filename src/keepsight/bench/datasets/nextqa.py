"""NExT-QA, multiple choice: five answers to questions about why, how and when, after videos of 44 seconds.

Source: arXiv 2105.08276.
"""

from pathlib import Path

from keepsight.bench.datasets.annotation import Annotation
from keepsight.bench.datasets.assembling import data_set, grouped
from keepsight.bench.datasets.choices import index_within
from keepsight.bench.datasets.folder import DataFolder, fingerprint, read_csv, read_json
from keepsight.bench.datasets.sources import FileSource
from keepsight.bench.records import DataSet, Question, Video
from keepsight.bench.scoring.nextqa import group_of
from keepsight.errors import DataError

HOLDS = "a NExT-QA folder holds val.csv, map_vid_vidorID.json, and NExTVideo/ (or videos/) with the videos"
CHOICES = ("a0", "a1", "a2", "a3", "a4")
COLUMNS = ("video", "question", "answer", "qid", "type", *CHOICES)


def load_nextqa(folder: Path) -> DataSet:
    """Read the validation part: 570 videos, 4,996 questions.

    The folder holds `val.csv` with the columns `video,question,answer,qid,type,a0,a1,a2,a3,a4` (`frame_count`, `width`
    and `height` are not read), `map_vid_vidorID.json`, which maps a video to its path without ending, and `NExTVideo/`
    or `videos/` with the videos under that path or under their bare names.

    Every question is asked after the whole video. Its task is its type, see `group_of`.

    Raises:
        DataError: a file is missing or malformed.
    """
    home = DataFolder(folder, HOLDS)
    path = home.file("val.csv")
    rows = grouped(read_csv(path, COLUMNS, "question"), lambda row: row.text("video"))
    stems = _stems(home.file("map_vid_vidorID.json"), list(rows))
    files = home.videos("NExTVideo", "videos").find_all(stems.values())
    videos = [
        Video(video, FileSource(files[stems[video]]), tuple(_question(row) for row in asked))
        for video, asked in rows.items()
    ]
    return data_set("nextqa-mc", videos, "choice", fingerprint(path))


def _stems(path: Path, videos: list[str]) -> dict[str, str]:
    stems = read_json(path)
    if not isinstance(stems, dict):
        raise DataError(f"{path} must be an object that maps videos to paths, got {str(stems)[:40]!r}")
    paths = Annotation(stems, path.name)
    return {video: paths.text(video) for video in videos}


def _question(row: Annotation) -> Question:
    task = row.text("type")
    group_of(task)
    choices = tuple(row.text(column) for column in CHOICES)
    right = index_within(row, "answer", len(choices))
    return Question(
        question_id=f"{row.text('video')}_{row.text('qid')}",
        question=row.text("question"),
        answer=choices[right],
        task=task,
        choices=choices,
        answer_index=right,
    )
