"""VStream-QA as its authors publish it, ego and movie, asked after the video or while it goes by.

Source: Flash-VStream (arXiv 2406.08085). Its folder `vstream` holds VS-Ego and VS-Movie, whose questions carry no
times and are asked after the whole video; `vstream-realtime` holds RVS-Ego and RVS-Movie cut into short videos, whose
questions carry times. One loader reads both: point it at either folder. Ego4D as packed pictures, which the second
folder offers in place of videos, is not read.
"""

import math
from pathlib import Path

from keepsight.bench.datasets.annotation import Annotation
from keepsight.bench.datasets.assembling import data_set, grouped, whole_files
from keepsight.bench.datasets.folder import DataFolder, fingerprint, read_objects
from keepsight.bench.datasets.shot_folder import ShotFolderSource, shot_number
from keepsight.bench.records import DataSet, Question, TimeUnit, Video
from keepsight.errors import DataError
from keepsight.spans import Span

EGO_HOLDS = "a VStream-QA ego folder holds test_qa_ego4d.json and ego4d_videos/ (or videos/) with <video_id>.mp4"
MOVIE_HOLDS = (
    "a VStream-QA movie folder holds test_qa_movienet.json and movienet_frames/ with a folder <video_id>/ of pictures "
    "shot_0387_img_0.jpg"
)


def load_vstream_ego(folder: Path) -> DataSet:
    """Read the ego part: questions about cuts from Ego4D.

    The folder holds `test_qa_ego4d.json`, a list of `{id, video_id, question, answer, answer_type, duration}`, with
    `start_time` and `end_time` in seconds where questions are asked on the way, and `ego4d_videos/` or `videos/` with
    one file `<video_id>.mp4` a video.

    Raises:
        DataError: a file is missing or malformed.
    """
    home = DataFolder(folder, EGO_HOLDS)
    path = home.file("test_qa_ego4d.json")
    entries = grouped(read_objects(path, "question"), lambda entry: entry.text("video_id"))
    files = home.videos("ego4d_videos", "videos").find_all(entries)
    return data_set("vstream-qa-ego", whole_files(entries, files, _question), "judge", fingerprint(path))


def load_vstream_movie(folder: Path) -> DataSet:
    """Read the movie part: questions about cuts from films, times in shots.

    The folder holds `test_qa_movienet.json`, of the form of the ego part's file, and `movienet_frames/` with a folder
    `<video_id>/` a video, of pictures named `shot_0387_img_0.jpg`. Times are such names too, with the numbers that
    the pictures have; time 0 is the folder's first shot.

    `end_time` names a picture that the question is about, so it is asked one shot later and sees that picture:
    `shot_0387_img_0.jpg` in a folder that starts with shot 0 is asked at 388.

    Raises:
        DataError: a file is missing or malformed, or a question ends before its folder's first shot.
    """
    home = DataFolder(folder, MOVIE_HOLDS)
    path = home.file("test_qa_movienet.json")
    entries = grouped(read_objects(path, "question"), lambda entry: entry.text("video_id"))
    frames = home.subfolder("movienet_frames")
    there = {path.name for path in frames.iterdir() if path.is_dir()}
    missing = [video_id for video_id in entries if video_id not in there]
    if missing:
        raise DataError(
            f"{len(missing)} of {len(entries)} videos are missing from {frames}, first {missing[0]!r}; {MOVIE_HOLDS}"
        )
    videos = [_movie(video_id, frames / video_id, asked) for video_id, asked in entries.items()]
    return data_set("vstream-qa-movie", videos, "judge", fingerprint(path))


def _movie(video_id: str, path: Path, entries: list[Annotation]) -> Video:
    source = ShotFolderSource(path)
    first_shot = min(source.pictures())
    questions = tuple(_shot_question(entry, first_shot) for entry in entries)
    return Video(video_id, source, questions, TimeUnit.SHOTS)


def _question(entry: Annotation) -> Question:
    if not entry.has("end_time"):
        return _asked(entry, math.inf, ())
    return _asked(entry, entry.number("end_time"), entry.span("start_time", "end_time"))


def _shot_question(entry: Annotation, first_shot: int) -> Question:
    if not entry.has("end_time"):
        return _asked(entry, math.inf, ())
    start, end = (_shot(entry, name) - first_shot for name in ("start_time", "end_time"))
    if end < 0:
        raise DataError(f"{entry.where} ends before the video's first image, shot {first_shot}")
    return _asked(entry, end + 1, (Span(start, end + 1),) if 0 <= start <= end else ())


def _shot(entry: Annotation, field: str) -> int:
    number = shot_number(entry.text(field))
    return entry.whole(field) if number is None else number


def _asked(entry: Annotation, ask: float, evidence: tuple[Span, ...]) -> Question:
    return Question(
        question_id=entry.text("id"),
        question=entry.text("question"),
        answer=entry.text("answer"),
        ask_seconds=ask,
        task=entry.text("answer_type"),
        evidence=evidence,
    )
