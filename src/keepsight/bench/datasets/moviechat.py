"""MovieChat-1K: open questions about parts of films, asked after it or at one of its frames.

Source: arXiv 2307.16449.
"""

from pathlib import Path

from keepsight.bench.datasets.annotation import Annotation, annotation
from keepsight.bench.datasets.assembling import data_set
from keepsight.bench.datasets.folder import DataFolder, read_json
from keepsight.bench.datasets.sources import FileSource
from keepsight.bench.records import DataSet, Question, Video
from keepsight.errors import DataError

HOLDS = "a MovieChat-1K folder holds one .json a film in gt/gt/, gt/ or annotations/, and videos/ with the films"


def load_moviechat(folder: Path) -> DataSet:
    """Read MovieChat-1K, limited to the films in the folder's annotations.

    The folder holds one JSON file a film, `{info: {video_path, fps, num_frame}, caption, global: [{question, answer}],
    breakpoint: [{time, question, answer}]}`, in the first of `gt/gt/`, `gt/` and `annotations/` that has any (the test
    films' answers came later, in `gt`), and `videos/` with the files that `video_path` names.

    Questions under `global` are asked after the film. Those under `breakpoint` are asked at `time / fps` seconds, as
    `time` counts frames: they see the frames before that one. The two are the data set's tasks.

    Raises:
        DataError: a file is missing or malformed.
    """
    home = DataFolder(folder, HOLDS)
    films = [annotation(read_json(path), path.name) for path in _files(home)]
    infos = [film.inner("info") for film in films]
    files = home.videos("videos").find_all(info.text("video_path") for info in infos)
    videos = [
        Video(Path(film.where).stem, FileSource(files[info.text("video_path")]), _questions(film, info.number("fps")))
        for film, info in zip(films, infos, strict=True)
    ]
    return data_set("moviechat-1k", videos, "judge", f"{len(films)} annotation files")


def _files(home: DataFolder) -> list[Path]:
    for name in ("gt/gt", "gt", "annotations"):
        files = sorted((home.path / name).glob("*.json"), key=lambda path: (len(path.name), path.name))
        if files:
            return files
    raise DataError(f"{home.path} has no annotations; {home.holds}")


def _questions(film: Annotation, fps: float) -> tuple[Question, ...]:
    if fps <= 0:
        raise DataError(f"'fps' in {film.where} must be above 0, got {fps}")
    name = Path(film.where).stem
    after = [
        Question(f"{name}/global/{index:02d}", entry.text("question"), entry.text("answer"), task="global")
        for index, entry in enumerate(film.objects("global", "global question"))
    ]
    on_the_way = [
        Question(
            question_id=f"{name}/breakpoint/{index:02d}",
            question=entry.text("question"),
            answer=entry.text("answer"),
            ask_seconds=entry.number("time") / fps,
            task="breakpoint",
        )
        for index, entry in enumerate(film.objects("breakpoint", "breakpoint question"))
    ]
    return (*after, *on_the_way)
