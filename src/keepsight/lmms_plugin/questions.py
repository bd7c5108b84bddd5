"""Questions from lmms-eval: parsing of chat messages with a video and text."""

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
    """A question about a video file, and its time.

    Attributes:
        path: the file; an `.npy` file has one frame per shot, and its times count shots.
        question: text for the model, with choices and instructions if any.
        start_seconds: start of watching.
        ask_seconds: only earlier frames of the file are used; infinity for the end.
        max_answer_tokens: token limit of the answer; None for that of the settings.
        stop_texts: the answer ends before the first of these.

    Raises:
        DataError: the question is empty, or its time is before the start.
    """

    path: Path
    question: str
    start_seconds: float = 0.0
    ask_seconds: float = math.inf
    max_answer_tokens: int | None = None
    stop_texts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.question.strip():
            raise DataError(f"a question about {self.path.name} must not be empty")
        if not 0 <= self.start_seconds < math.inf or not self.ask_seconds >= self.start_seconds:
            raise DataError(
                f"a question about {self.path.name} must have 0 <= start_seconds <= ask_seconds, got "
                f"{self.start_seconds} and {self.ask_seconds}"
            )

    def cut(self, reply: str) -> str:
        """Reply up to the first stop text."""
        for stop in self.stop_texts:
            reply = reply.partition(stop)[0]
        return reply.strip()


def read_question(
    messages: Sequence[Mapping[str, Any]],
    generation: Mapping[str, Any],
    *,
    ask_seconds: float | None = None,
) -> VideoQuestion:
    """Question in a request's chat messages.

    The video is watched up to the end time in its message, if any. All texts are joined by line breaks.

    Args:
        messages: `[{"role": ..., "content": [{"type": "video", "url": ...}, {"type": "text", "text": ...}]}]`.
        generation: the task's `generation_kwargs`; `max_new_tokens` and `until` are used.
        ask_seconds: the question's time, if the message has no end.

    Raises:
        DataError: there is not exactly one video file, or there are images or audio.
    """
    contents = [content for message in messages for content in message["content"]]
    kinds = [content["type"] for content in contents if content["type"] != "text"]
    if kinds != ["video"]:
        raise DataError(
            f"a question must be about one video file, got {_counted(kinds)}; "
            "tasks with images, audio, several videos or text only need another model"
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
    """Description of a video; lmms-eval passes a task's own dictionary in place of the URL."""
    inner = content.get("url")
    return {**content, **inner} if isinstance(inner, Mapping) else dict(content)


def _path(fields: Mapping[str, Any]) -> Path:
    if "timestep" in fields:  # a frame index in some tasks, which no file confirms
        raise DataError("a video with a 'timestep' is not supported; give the question's time in seconds")
    for name in _PATH_NAMES:
        value = fields.get(name)
        if isinstance(value, str | Path):
            if "://" in str(value):
                raise DataError(f"a video must be a file on this machine, got {value}")
            return Path(value)
    raise DataError(f"a video must be given by its path, got {_kind(fields)}")


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
        DataError: not a number.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DataError(f"{name} of a video must be a time in seconds, got {value!r}")
    return float(value)


def _counted(kinds: Sequence[str]) -> str:
    counts = [f"{kinds.count(kind)} of type {kind!r}" for kind in dict.fromkeys(kinds)]
    return " and ".join(counts) or "text alone"
