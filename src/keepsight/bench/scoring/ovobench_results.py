"""OVO-Bench's results files, scored by its rule: see `ovobench`.

A file is `{"backward": [...], "realtime": [...], "forward": [...]}`, of which any may be missing. Entries have `id`,
`task`, `response` and `ground_truth` (a letter); those of `forward` have `id`, `task` and `test_info`, a list of tests
with `response` and `count` (REC) or `type` (SSR and CRR: 1 yes, 0 no). The replies of a forward entry may also be one
list, its `response`.

The published script reads all files of a model's folder, and counts an item again that stands in several of them; here
each item counts once. Some models of that evaluation wrote lists of one string.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from keepsight.bench.scoring import ovobench
from keepsight.bench.scoring.result_files import Graded, ResultFile, letter, one_reply, whole
from keepsight.errors import DataError


def grade_ovobench(files: Sequence[ResultFile]) -> list[Graded]:
    """Scores of all items.

    Raises:
        DataError: a file has another shape.
    """
    graded: list[Graded] = []
    for file in files:
        with file.reading("ovobench"):
            graded += _items(file.whole)
    return graded


def _items(parts: object) -> Iterator[Graded]:
    if not isinstance(parts, dict):
        raise DataError(f"the file must be a JSON object, got {type(parts).__name__}")
    if not set(parts) <= set(ovobench.TASKS_OF_GROUP):
        raise DataError(f"parts must be {', '.join(ovobench.TASKS_OF_GROUP)}, got {', '.join(parts)}")
    for group, entries in parts.items():
        for entry in entries:
            task = entry["task"]
            if ovobench.group_of(task) != group:
                raise DataError(f"task {task} must be listed under {ovobench.group_of(task)}, got {group}")
            yield _forward(entry) if group == "forward" else _choice(group, entry)


def _choice(group: str, entry: dict[str, Any]) -> Graded:
    reply, right = one_reply(entry["response"], _name(entry)), letter(entry["ground_truth"])
    is_right = ovobench.holds_letter(reply, right)
    is_listed = isinstance(entry["response"], list)
    is_changed = is_listed and is_right != (reply == right)
    return Graded(_item(entry), group, entry["task"], (float(is_right),), (reply,), int(is_listed), int(is_changed))


def _forward(entry: dict[str, Any]) -> Graded:
    task, tests = entry["task"], entry["test_info"]
    responses = _responses(entry, tests)
    replies = [one_reply(response, f"test {index} of {_name(entry)}") for index, response in enumerate(responses)]
    scores, changed = [], 0
    for test, response, reply in zip(tests, responses, replies, strict=True):
        if task == "REC":
            is_right = ovobench.says_count(reply, whole(test["count"]))
            changed += isinstance(response, list)  # the published script cannot read one
        else:
            is_yes = whole(test["type"]) == 1
            is_right = ovobench.says_yes_or_no(reply, is_yes)
            changed += isinstance(response, list) and is_right != (reply == ("Yes" if is_yes else "No"))
        scores.append(float(is_right))
    listed = sum(isinstance(response, list) for response in responses)
    return Graded(_item(entry), "forward", task, tuple(scores), tuple(replies), listed, changed)


def _responses(entry: dict[str, Any], tests: list[dict[str, Any]]) -> list[object]:
    """Responses of a forward entry, one per test: in the tests, or as the entry's list."""
    together = entry.get("response")
    if together is None:
        missing = next((index for index, test in enumerate(tests) if "response" not in test), None)
        if missing is not None:
            raise DataError(f"test {missing} of {_name(entry)} must have a response, got none")
        return [test["response"] for test in tests]
    if not isinstance(together, list) or len(together) != len(tests) or any("response" in test for test in tests):
        raise DataError(
            f"response of {_name(entry)} must be a list with one string for each of its {len(tests)} tests, which then "
            f"have none themselves, got {together!r:.80}"
        )
    return together


def _item(entry: dict[str, Any]) -> str:
    return f"{entry['task']} {entry['id']}" if "id" in entry else ""


def _name(entry: dict[str, Any]) -> str:
    return _item(entry) or f"an entry of {entry['task']}"
