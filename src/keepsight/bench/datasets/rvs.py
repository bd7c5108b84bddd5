"""RVS-Ego and RVS-Movie: open questions asked while an hour of life or a film goes by.

Source: Flash-VStream (arXiv 2406.08085) made the questions; this is the form that ReKV (arXiv 2503.00540) published
and that the compared papers use. Its evaluation asks in the order of the file and never rewinds, so a question listed
after a later one would see that one's frames too; here questions are asked in order of time.
"""

from pathlib import Path

from keepsight.bench.datasets.annotation import Annotation
from keepsight.bench.datasets.assembling import data_set
from keepsight.bench.datasets.folder import DataFolder, fingerprint, read_objects
from keepsight.bench.datasets.sources import ArraySource, FileSource
from keepsight.bench.records import DataSet, Question, TimeUnit, Video

EGO_HOLDS = "an RVS-Ego folder holds ego4d_oe.json and videos/ with the files that it names"
MOVIE_HOLDS = "an RVS-Movie folder holds movienet_oe.json and videos/ with the .npy files that it names"


def load_rvs_ego(folder: Path) -> DataSet:
    """Read RVS-Ego: 10 videos, 1,465 questions.

    The folder holds `ego4d_oe.json`, a list of `{video_id, video_path, duration, conversations: [{question, answer,
    start_time, end_time}]}`, and `videos/` with the files that `video_path` names.

    A question is asked at `end_time`, in seconds; its evidence is the stretch from `start_time` to there.

    Raises:
        DataError: a file is missing or malformed.
    """
    home = DataFolder(folder, EGO_HOLDS)
    path = home.file("ego4d_oe.json")
    entries = read_objects(path, "video")
    files = home.videos("videos").find_all(entry.text("video_path") for entry in entries)
    videos = tuple(
        Video(entry.text("video_id"), FileSource(files[entry.text("video_path")]), questions_of(entry))
        for entry in entries
    )
    return data_set("rvs-ego", videos, "judge", fingerprint(path))


def load_rvs_movie(folder: Path) -> DataSet:
    """Read RVS-Movie: 22 videos, 1,905 questions, times in shots.

    The folder holds `movienet_oe.json`, of the form of RVS-Ego's file, and `videos/` with one `.npy` a video: uint8
    `[shots, height, width, 3]`, one frame of each shot.

    Times are places in that array; `clip_start_time` and `clip_end_time`, which say where in the film it was cut out,
    are not read. A question with `end_time` n is asked at n: it sees the shots 0 to n - 1, as in the published
    evaluation, which takes the first n frames. Every shot is shown; ReKV's own loader takes about every second
    (`bench.paper`).

    Raises:
        DataError: a file, including arrays, is missing or malformed.
    """
    home = DataFolder(folder, MOVIE_HOLDS)
    path = home.file("movienet_oe.json")
    entries = read_objects(path, "video")
    files = home.videos("videos", suffixes=(".npy",)).find_all(entry.text("video_path") for entry in entries)
    videos = tuple(_movie(entry, files[entry.text("video_path")]) for entry in entries)
    return data_set("rvs-movie", videos, "judge", fingerprint(path))


def questions_of(entry: Annotation) -> tuple[Question, ...]:
    """Questions of one video, each asked at its `end_time`."""
    video_id = entry.text("video_id")
    return tuple(
        Question(
            question_id=f"{video_id}/{index:04d}",
            question=turn.text("question"),
            answer=turn.text("answer"),
            ask_seconds=turn.number("end_time"),
            task=turn.text("answer_type") if turn.has("answer_type") else "",
            evidence=turn.span("start_time", "end_time"),
        )
        for index, turn in enumerate(entry.objects("conversations", "question"))
    )


def _movie(entry: Annotation, path: Path) -> Video:
    source = ArraySource(path)
    _ = source.num_shots  # a wrong array is found now, not hours into a run
    return Video(entry.text("video_id"), source, questions_of(entry), TimeUnit.SHOTS)
