"""Questions as lmms-eval puts them: chat messages with a video and text, read into one record."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keepsight.errors import DataError

_PATH_NAMES = ("url", "path", "video", "video_path")
_START_NAMES = ("start_time", "video_start")
_END_NAMES = ("end_time", "video_end")


@dataclass(frozen=True)
class VideoQuestion:
    """A question about a video file, and when it is asked.

    Attributes:
        path: the file; an `.npy` file holds one frame of each shot, and its times count shots.
        question: what is put to the model, with choices and instructions if there are any.
        start_seconds: what lies before is not watched.
        ask_seconds: only frames before this time of the file are used; infinity asks after all of it.
        max_answer_tokens: longest answer; None takes that of the settings.
        stop_texts: the answer ends before the first of these.

    Raises:
        DataError: the question is empty, or it is not asked after the start.
    """

    path: Path
    question: str
    start_seconds: float = 0.0
    ask_seconds: float = math.inf
    max_answer_tokens: int | None = None
    stop_texts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.question.strip():
            raise DataError(f"a question about {self.path.name} is empty")
        if not 0 <= self.start_seconds < math.inf or not self.ask_seconds >= self.start_seconds:
            raise DataError(
                f"a question about {self.path.name} is asked at {self.ask_seconds} about what comes after "
                f"{self.start_seconds}; allowed is 0 <= start <= time of asking"
            )

    def cut(self, reply: str) -> str:
        """A reply up to the first text at which it is to stop."""
        for stop in self.stop_texts:
            reply = reply.partition(stop)[0]
        return reply.strip()


def read_question(
    messages: Sequence[Mapping[str, Any]],
    generation: Mapping[str, Any],
    *,
    ask_seconds: float | None = None,
) -> VideoQuestion:
    """The question in the chat messages of a request.

    The video is watched up to the end time that its message gives, if it gives one. All texts are joined, a line each.

    Args:
        messages: `[{"role": ..., "content": [{"type": "video", "url": ...}, {"type": "text", "text": ...}]}]`.
        generation: the task's `generation_kwargs`; `max_new_tokens` and `until` are used.
        ask_seconds: asked at this time, where the message gives no end.

    Raises:
        DataError: there is not exactly one video file, or there are pictures or sound.
    """
    contents = [content for message in messages for content in message["content"]]
    kinds = [content["type"] for content in contents if content["type"] != "text"]
    if kinds != ["video"]:
        raise DataError(
            f"Keepsight answers questions about one video file, not about {_counted(kinds)}; "
            "tasks with pictures, sound, several videos or text alone need another model"
        )
    fields = _fields(next(content for content in contents if content["type"] == "video"))
    end = _first_number(fields, _END_NAMES)
    if end is None:
        end = ask_seconds
    stops = generation.get("until") or ()
    return VideoQuestion(
        path=_path(fields),
        question="\n".join(content["text"] for content in contents if content["type"] == "text"),
        start_seconds=_first_number(fields, _START_NAMES) or 0.0,
        ask_seconds=math.inf if end is None else end,
        max_answer_tokens=generation.get("max_new_tokens"),
        stop_texts=(stops,) if isinstance(stops, str) else tuple(stops),
    )


def _fields(content: Mapping[str, Any]) -> dict[str, Any]:
    """What is said of a video; lmms-eval hands on a task's own dictionary in the place of the address."""
    inner = content.get("url")
    return {**content, **inner} if isinstance(inner, Mapping) else dict(content)


def _path(fields: Mapping[str, Any]) -> Path:
    if "timestep" in fields:  # a frame's number in some tasks, which no file confirms
        raise DataError("a video with a 'timestep' cannot be asked about; give the time of asking in seconds")
    for name in _PATH_NAMES:
        value = fields.get(name)
        if isinstance(value, str | Path):
            if "://" in str(value):
                raise DataError(f"a video is a file on this machine, not {value}")
            return Path(value)
    raise DataError(f"a video is given by its path, not as {_kind(fields)}")


def _kind(fields: Mapping[str, Any]) -> str:
    return next((type(fields[name]).__name__ for name in _PATH_NAMES if name in fields), "nothing")


def _first_number(fields: Mapping[str, Any], names: Iterable[str]) -> float | None:
    for name in names:
        value = fields.get(name)
        if value is not None:
            return seconds_of(value, name)
    return None


def seconds_of(value: object, name: str) -> float:
    """A time in seconds.

    Raises:
        DataError: it is no number.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DataError(f"{name} of a video is a time in seconds, not {value!r}")
    return float(value)


def _counted(kinds: Sequence[str]) -> str:
    counts = [f"{kinds.count(kind)} of type {kind!r}" for kind in dict.fromkeys(kinds)]
    return " and ".join(counts) or "text alone"
