"""StreamArena: open questions asked while videos of 52 to 134 minutes go by.

Source: arXiv 2608.05703; the set is hkuzxc/StreamArena on the Hugging Face hub: 243 videos, 3,646 questions of four
kinds. Two kinds are read: real-time perception (RTP, 263) and historical retrospection (HR, 877). Tool use (Tool,
1,732) needs a web search, and proactive interaction (Pro, 774) scores the moment of speaking, not an answer. Many
questions are about what is said: sound is not read. The published runs ask all questions of a video in one
conversation; here each is asked alone.
"""

from pathlib import Path

from keepsight.bench.datasets.annotation import Annotation, valid_spans
from keepsight.bench.datasets.assembling import data_set, grouped
from keepsight.bench.datasets.folder import DataFolder, fingerprint, read_lines
from keepsight.bench.datasets.sources import FileSource
from keepsight.bench.records import DataSet, Question, Video
from keepsight.errors import DataError
from keepsight.spans import Span

HOLDS = (
    "a StreamArena folder holds question.en.jsonl and videos/ with its extracted archives, <video_id>/<video_id>.mp4"
)
KINDS = ("RTP", "HR", "Tool", "Pro")
ANSWERED = ("RTP", "HR")
"""Kinds that are read."""


def load_streamarena(folder: Path) -> DataSet:
    """Read the questions about the present and the past.

    The folder holds `question.en.jsonl`, one question a line, with `video_id, qid, qtype, ask_sec, question, answer`
    and `evidence_ts_sec`, a list of moments (other fields are not read), and `videos/` with the extracted archives: a
    video is `<video_id>/<video_id>.mp4`, or `<video_id>.mp4`.

    A question is asked at `ask_sec`; its evidence is the moments up to there (23 HR questions have later ones). Times
    are seconds of the whole video. `qid` counts within a video. Answers are judged.

    Raises:
        DataError: a file is missing or malformed, or has no question of the two kinds.
    """
    home = DataFolder(folder, HOLDS)
    path = home.file("question.en.jsonl")
    asked = [entry for entry in read_lines(path, "question") if _kind(entry) in ANSWERED]
    if not asked:
        raise DataError(f"{path} must have questions of 'qtype' {' or '.join(ANSWERED)}, got none")
    by_video = grouped(asked, lambda entry: entry.text("video_id"))
    files = home.videos("videos").find_all(f"{video_id}/{video_id}" for video_id in by_video)
    videos = [
        Video(video_id, FileSource(files[f"{video_id}/{video_id}"]), tuple(_question(entry) for entry in entries))
        for video_id, entries in by_video.items()
    ]
    return data_set("streamarena", videos, "judge", fingerprint(path))


def _kind(entry: Annotation) -> str:
    kind = entry.text("qtype")
    if kind not in KINDS:
        raise DataError(f"'qtype' of {entry.where} must be one of {', '.join(KINDS)}, got {kind!r}")
    return kind


def _question(entry: Annotation) -> Question:
    ask = entry.number("ask_sec")
    return Question(
        question_id=f"{entry.text('video_id')}/{entry.text('qid')}",
        question=entry.text("question"),
        answer=entry.text("answer"),
        ask_seconds=ask,
        task=_kind(entry),
        evidence=_evidence(entry, ask),
    )


def _evidence(entry: Annotation, ask: float) -> tuple[Span, ...]:
    if not entry.has("evidence_ts_sec"):
        return ()
    return valid_spans((moment, moment) for moment in entry.numbers("evidence_ts_sec") if moment <= ask)
