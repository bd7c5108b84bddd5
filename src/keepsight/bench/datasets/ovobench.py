"""OVO-Bench: questions about the past, the present and, asked repeatedly, the future.

Source: arXiv 2501.05510. The questions of the forward tasks, and how to answer them, are worded here.
"""

from pathlib import Path

from keepsight.bench.datasets.annotation import Annotation
from keepsight.bench.datasets.assembling import data_set, grouped, whole_files
from keepsight.bench.datasets.choices import index_within
from keepsight.bench.datasets.folder import DataFolder, fingerprint, read_objects
from keepsight.bench.records import DataSet, Question
from keepsight.bench.scoring.ovobench import group_of

HOLDS = "an OVO-Bench folder holds ovo_bench_new.json (or ovo_bench.json) and src_videos/ or chunked_videos/"

COUNT_QUESTION = (
    "Someone in this video does one thing several times: {activity}. How often has it been done since the video began, "
    "whoever did it?"
)
COUNT_INSTRUCTION = "Reply with the number in digits and nothing else."
STEP_QUESTION = (
    'The video shows how something is done, step by step. One of the steps is "{step}". Is that step going on at this '
    "moment?"
)
STEP_INSTRUCTION = "Reply with Yes or No and nothing else."
ENOUGH_QUESTION = 'Somebody asks: "{question}" Does what the video has shown until this moment suffice to answer that?'
ENOUGH_INSTRUCTION = "Reply with Yes or No and nothing else, and do not answer the question itself."


def load_ovobench(folder: Path) -> DataSet:
    """Read OVO-Bench: 1,640 items, of which the forward ones are asked several times.

    The folder holds `ovo_bench_new.json`, or else `ovo_bench.json`, a list of items with `id, task, video` and

    - backward and real-time tasks: `question, options, gt, answer, realtime`. The right choice is `options[gt]`, as in
      the official scores; `answer` is not read, since it often is worded differently.
    - REC: `activity, test_info: [{realtime, count}]`. The right answer is the count, in digits.
    - SSR: `test_info: [{realtime, step, type}]`, CRR: `question, test_info: [{realtime, type}]`. The right answer is
      Yes where `type` is 1 and No where it is 0.

    and the videos, either whole in `src_videos/`, under the path in `video`, or cut off at each time of asking in
    `chunked_videos/`, as `<id>.mp4` and, for the i-th test of a forward item, `<id>_<i>.mp4`. Where both are there the
    whole ones are read, as each then goes by once for all of its questions.

    Every question is asked at its `realtime`, in seconds. Its id is `<id>` or `<id>_<i>`.

    Raises:
        DataError: a file is missing or malformed.
    """
    home = DataFolder(folder, HOLDS)
    path = home.file("ovo_bench_new.json", "ovo_bench.json")
    place = home.subfolder("src_videos", "chunked_videos").name
    asked = [(item.text("video"), question) for item in read_objects(path, "item") for question in _questions(item)]
    if place == "chunked_videos":
        asked = [(question.question_id, question) for _, question in asked]
    by_video = grouped(asked, lambda pair: pair[0])
    files = home.videos(place).find_all(by_video)
    videos = whole_files(by_video, files, lambda pair: pair[1])
    return data_set("ovobench", videos, "ovobench", f"{fingerprint(path)}, {place}")


def _questions(item: Annotation) -> list[Question]:
    task = item.text("task")
    if group_of(task) != "forward":
        return [_choice(item, task)]
    return [_test(item, task, test, index) for index, test in enumerate(item.objects("test_info", "test"))]


def _choice(item: Annotation, task: str) -> Question:
    choices = item.texts("options")
    right = index_within(item, "gt", len(choices))
    return Question(
        question_id=item.text("id"),
        question=item.text("question"),
        answer=choices[right],
        ask_seconds=item.number("realtime"),
        task=task,
        choices=choices,
        answer_index=right,
    )


def _test(item: Annotation, task: str, test: Annotation, index: int) -> Question:
    if task == "REC":
        question, instruction = COUNT_QUESTION.format(activity=item.text("activity")), COUNT_INSTRUCTION
        answer = str(test.whole("count"))
    elif task == "SSR":
        question, instruction = STEP_QUESTION.format(step=test.text("step")), STEP_INSTRUCTION
        answer = _yes_or_no(test)
    else:
        question, instruction = ENOUGH_QUESTION.format(question=item.text("question")), ENOUGH_INSTRUCTION
        answer = _yes_or_no(test)
    name = f"{item.text('id')}_{index}"
    return Question(name, question, answer, test.number("realtime"), task, instruction=instruction)


def _yes_or_no(test: Annotation) -> str:
    return ("No", "Yes")[index_within(test, "type", 2)]
