"""X-Stream: open questions about two to five streams at once (several windows, cameras or devices).

Source: arXiv 2606.02482; the set is spw2000/X-stream on the Hugging Face hub. Of the published ways to show several
streams, this reads spatial division: one merged video, whose picture holds the streams side by side, so one observer
watches them all. Streams apart (`eval_relative_multi_phostream_type.jsonl`) are not supported: a question would need
one observer per stream, with a common clock, and a prompt that tells them apart.

Questions that are to be answered unasked, once their evidence comes (types `proactive` and `future`), score the moment
of speaking and are not read. The fields are those that the published evaluation (github.com/PeiwenSun2000/X-Stream)
reads from the same file; its code is the source, as no line of the file was at hand.
"""

import re
from pathlib import Path

from keepsight.bench.datasets.annotation import Annotation
from keepsight.bench.datasets.assembling import data_set, grouped, whole_files
from keepsight.bench.datasets.folder import DataFolder, fingerprint, read_lines
from keepsight.bench.records import DataSet, Question
from keepsight.errors import DataError

FILE = "eval_relative_merged_phostream_type.jsonl"
HOLDS = f"an X-Stream folder holds {FILE} and data/eval/merged/ (or merged/) with the videos that it names"
UNASKED = ("proactive", "future")
"""Types that are not read, in lower case."""

_FIELD = re.compile(r"qa_(\d+)_")
_VIDEO = re.compile(r"\{\{video:([^},]+)")


def load_xstream(folder: Path) -> DataSet:
    """Read the evaluation part with merged videos.

    The folder holds `eval_relative_merged_phostream_type.jsonl`, one conversation a line: `{vars, rounds: [{messages:
    [{content}]}]}`. A content such as `{{video:data/eval/merged/x.mp4,start=0,end=1}}` names the video. `vars` has, for
    each question i, `qa_<i>_type`, `qa_<i>_question` (with its options, if any), `qa_<i>_response` and
    `qa_<i>_response_timesec`; some lines spell the last two `resposne`. The videos are in `data/eval/merged/` or
    `merged/`.

    A question is asked at `response_timesec`, the second at which the published evaluation accepts an answer. Its id is
    `<line>_<i>`. Answers are judged; the published score is the mean rating (0 to 5) times 20.

    Raises:
        DataError: a file is missing or malformed, or has only questions that are not read.
    """
    home = DataFolder(folder, HOLDS)
    path = home.file(FILE)
    asked = [pair for index, line in enumerate(read_lines(path, "line")) for pair in _asked(line, index)]
    if not asked:
        raise DataError(f"{path} must have questions of a type other than {' and '.join(UNASKED)}, got none")
    by_video = grouped(asked, lambda pair: pair[0])
    files = home.videos("data/eval/merged", "merged").find_all(by_video)
    videos = whole_files(by_video, files, lambda pair: pair[1])
    return data_set("xstream", videos, "judge", fingerprint(path))


def _asked(line: Annotation, index: int) -> list[tuple[str, Question]]:
    """Video and question of each question of a line that is read."""
    questions = _questions(line, index)
    video = _video(line) if questions else ""
    return [(video, question) for question in questions]


def _video(line: Annotation) -> str:
    contents = (
        message.text("content")
        for turn in line.objects("rounds", "round")
        for message in turn.objects("messages", "message")
    )
    names: set[str] = {name.strip() for content in contents for name in _VIDEO.findall(content)}
    if len(names) != 1:
        raise DataError(f"{line.where} must show one merged video, got {len(names)} videos; streams apart are not read")
    return names.pop()


def _questions(line: Annotation, index: int) -> list[Question]:
    variables = line.inner("vars")
    places = sorted({int(match[1]) for name in variables.fields if (match := _FIELD.match(name))})
    if not places:
        raise DataError(f"{variables.where} must have fields such as 'qa_1_question', got none")
    return [
        _question(variables, place, index)
        for place in places
        if variables.text(f"qa_{place}_type").lower() not in UNASKED
    ]


def _question(variables: Annotation, place: int, index: int) -> Question:
    return Question(
        question_id=f"{index}_{place}",
        question=variables.text(f"qa_{place}_question"),
        answer=variables.text(_spelled(variables, f"qa_{place}_response")),
        ask_seconds=variables.number(_spelled(variables, f"qa_{place}_response_timesec")),
        task=variables.text(f"qa_{place}_type"),
    )


def _spelled(variables: Annotation, name: str) -> str:
    """The field's name as this line spells it."""
    misspelled = name.replace("response", "resposne")
    return misspelled if variables.has(misspelled) and not variables.has(name) else name
