"""Keepsight watches video for hours and answers questions about it, in constant memory, on your own machine.

    import keepsight

    model = keepsight.load_model("tiny")  # or a Hugging Face id or folder
    with keepsight.Watcher(model, journal="kitchen.db") as watcher:
        for moment in watcher.watch("kitchen.mp4", sample_fps=0.5):
            print(moment.span, moment.caption)
        answer = watcher.ask("Where did the dog go?")
        print(answer.text, answer.citations)

What needs torch or a video library is imported when it is first used, so `import keepsight` is quick.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING

from keepsight.errors import (
    AddressRefusedError,
    DataError,
    DecoderDiedError,
    DeliveryError,
    DiskFullError,
    EmptyJournalError,
    JournalError,
    JournalNotFoundError,
    JournalTooNewError,
    JournalWriteError,
    JudgeBusyError,
    JudgeError,
    KeepsightError,
    MalformedVerdictError,
    ModelError,
    ModelTooBigError,
    NotAJournalError,
    NotAVideoError,
    NoVideoStreamError,
    PromptTooLongError,
    SettingError,
    SourceNotFoundError,
    SourceStalledError,
    SourceUnreachableError,
    StreamLockedError,
    TruncatedVideoError,
    UnknownModelError,
    UnsupportedModelError,
    VideoError,
    VideoTooLongError,
)
from keepsight.settings import PAPER, Settings
from keepsight.spans import Span

if TYPE_CHECKING:
    from keepsight.answering import Answer, AnswerStream, Citation, answer_question
    from keepsight.journal import Journal
    from keepsight.models.loading import load_model
    from keepsight.video import Clip, Frame, open_video
    from keepsight.watcher import Watcher
    from keepsight.watching.stream_state import Moment

    __version__: str

__all__ = [
    "PAPER",
    "AddressRefusedError",
    "Answer",
    "AnswerStream",
    "Citation",
    "Clip",
    "DataError",
    "DecoderDiedError",
    "DeliveryError",
    "DiskFullError",
    "EmptyJournalError",
    "Frame",
    "Journal",
    "JournalError",
    "JournalNotFoundError",
    "JournalTooNewError",
    "JournalWriteError",
    "JudgeBusyError",
    "JudgeError",
    "KeepsightError",
    "MalformedVerdictError",
    "ModelError",
    "ModelTooBigError",
    "Moment",
    "NoVideoStreamError",
    "NotAJournalError",
    "NotAVideoError",
    "PromptTooLongError",
    "SettingError",
    "Settings",
    "SourceNotFoundError",
    "SourceStalledError",
    "SourceUnreachableError",
    "Span",
    "StreamLockedError",
    "TruncatedVideoError",
    "UnknownModelError",
    "UnsupportedModelError",
    "VideoError",
    "VideoTooLongError",
    "Watcher",
    "__version__",
    "answer_question",
    "load_model",
    "open_video",
]

_HOME_OF = {
    "Answer": "keepsight.answering",
    "AnswerStream": "keepsight.answering",
    "Citation": "keepsight.answering",
    "Clip": "keepsight.video",
    "Frame": "keepsight.video",
    "Journal": "keepsight.journal",
    "Moment": "keepsight.watching.stream_state",
    "Watcher": "keepsight.watcher",
    "answer_question": "keepsight.answering",
    "load_model": "keepsight.models.loading",
    "open_video": "keepsight.video",
}


def __getattr__(name: str) -> object:
    if name == "__version__":
        return version("keepsight")
    if name not in _HOME_OF:
        raise AttributeError(f"module 'keepsight' has no attribute {name!r}")
    value: object = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
