"""Keepsight watches video for hours and answers questions about it, in constant memory, on your own machine.

    import keepsight

    model = keepsight.load_model("tiny")  # or a Hugging Face id or folder
    with keepsight.Watcher(model, journal="kitchen.db") as watcher:
        for moment in watcher.watch("kitchen.mp4", sample_fps=0.5):
            print(moment.span, moment.caption)
        answer = watcher.ask("Where did the dog go?")
        print(answer.text, answer.citations)

Modules that need torch or a video library are imported on first use, so `import keepsight` is fast.
"""

import logging
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING

from keepsight.errors import (
    AddressRefusedError,
    BusyError,
    ConflictError,
    DataError,
    DecoderDiedError,
    DeliveryError,
    DiskFullError,
    EmptyJournalError,
    EngineBusyError,
    EngineError,
    EngineTimeoutError,
    IncompleteVideoError,
    JournalBusyError,
    JournalError,
    JournalLogError,
    JournalMovedError,
    JournalNotFoundError,
    JournalTooNewError,
    JournalWriteError,
    JudgeBusyError,
    JudgeError,
    KeepsightError,
    MalformedVerdictError,
    ModelDownloadError,
    ModelError,
    ModelTooBigError,
    NotAJournalError,
    NotAVideoError,
    NotFoundError,
    NoVideoStreamError,
    PlugInError,
    PromptTooLongError,
    SettingError,
    SourceChangedError,
    SourceNotFoundError,
    SourceStalledError,
    SourceUnreachableError,
    StreamLockedError,
    TooLargeError,
    TruncatedVideoError,
    UnknownModelError,
    UnknownStreamError,
    UnsupportedModelError,
    UploadOffsetError,
    VideoError,
    VideoTooLongError,
    WorkCancelledError,
)
from keepsight.settings import PAPER, Settings
from keepsight.spans import Span

# If torchao is installed, transformers imports it, and it warns about kernels that this machine does not need.
for _talkative in ("torchao", "torch.utils._pytree"):
    logging.getLogger(_talkative).setLevel(logging.ERROR)

if TYPE_CHECKING:
    from keepsight.asking.answering import Answer, AnswerStream, Ask, Citation, answer_question
    from keepsight.engine.session import StreamSession
    from keepsight.engine.stream_pipeline import Moment
    from keepsight.engine.watch_together import Failure, SourceEvent, WatchTogether
    from keepsight.engine.watched_source import NoteKind, SourceNote
    from keepsight.engine.watcher import Watcher
    from keepsight.journal import ClipRecord, EndReason, GapRecord, Journal, ModelVersion, Quota, StreamRecord
    from keepsight.journal.notebook import to_pandas
    from keepsight.method.model_info import AnswerAuthor, ModelIdentity
    from keepsight.method.protocol import BatchModel, VideoModel
    from keepsight.models.engines.engine import Engine, EngineLimits
    from keepsight.models.loading import load_model
    from keepsight.sources.address import SourceAddress, SourceKind
    from keepsight.sources.backoff import Backoff
    from keepsight.sources.frame_queue import DropPolicy
    from keepsight.sources.plug_in import Source
    from keepsight.sources.settings import LoadSettings, SourceSettings, SupervisionSettings
    from keepsight.sources.supervision import Connection, SourceState, StateChange
    from keepsight.sources.worker_pipe import DecodeLimits
    from keepsight.video import Clip, Frame, VideoFile, VideoInfo, open_video

    __version__: str

__all__ = [
    "PAPER",
    "AddressRefusedError",
    "Answer",
    "AnswerAuthor",
    "AnswerStream",
    "Ask",
    "Backoff",
    "BatchModel",
    "BusyError",
    "Citation",
    "Clip",
    "ClipRecord",
    "ConflictError",
    "Connection",
    "DataError",
    "DecodeLimits",
    "DecoderDiedError",
    "DeliveryError",
    "DiskFullError",
    "DropPolicy",
    "EmptyJournalError",
    "EndReason",
    "Engine",
    "EngineBusyError",
    "EngineError",
    "EngineLimits",
    "EngineTimeoutError",
    "Failure",
    "Frame",
    "GapRecord",
    "IncompleteVideoError",
    "Journal",
    "JournalBusyError",
    "JournalError",
    "JournalLogError",
    "JournalMovedError",
    "JournalNotFoundError",
    "JournalTooNewError",
    "JournalWriteError",
    "JudgeBusyError",
    "JudgeError",
    "KeepsightError",
    "LoadSettings",
    "MalformedVerdictError",
    "ModelDownloadError",
    "ModelError",
    "ModelIdentity",
    "ModelTooBigError",
    "ModelVersion",
    "Moment",
    "NoVideoStreamError",
    "NotAJournalError",
    "NotAVideoError",
    "NotFoundError",
    "NoteKind",
    "PlugInError",
    "PromptTooLongError",
    "Quota",
    "SettingError",
    "Settings",
    "Source",
    "SourceAddress",
    "SourceChangedError",
    "SourceEvent",
    "SourceKind",
    "SourceNotFoundError",
    "SourceNote",
    "SourceSettings",
    "SourceStalledError",
    "SourceState",
    "SourceUnreachableError",
    "Span",
    "StateChange",
    "StreamLockedError",
    "StreamRecord",
    "StreamSession",
    "SupervisionSettings",
    "TooLargeError",
    "TruncatedVideoError",
    "UnknownModelError",
    "UnknownStreamError",
    "UnsupportedModelError",
    "UploadOffsetError",
    "VideoError",
    "VideoFile",
    "VideoInfo",
    "VideoModel",
    "VideoTooLongError",
    "WatchTogether",
    "Watcher",
    "WorkCancelledError",
    "__version__",
    "answer_question",
    "load_model",
    "open_video",
    "to_pandas",
]

_HOME_OF = {
    "Answer": "keepsight.asking.answering",
    "AnswerAuthor": "keepsight.method.model_info",
    "AnswerStream": "keepsight.asking.answering",
    "Ask": "keepsight.asking.answering",
    "Backoff": "keepsight.sources.backoff",
    "BatchModel": "keepsight.method.protocol",
    "Citation": "keepsight.asking.answering",
    "Clip": "keepsight.video",
    "ClipRecord": "keepsight.journal",
    "Connection": "keepsight.sources.supervision",
    "DecodeLimits": "keepsight.sources.worker_pipe",
    "DropPolicy": "keepsight.sources.frame_queue",
    "EndReason": "keepsight.journal",
    "Engine": "keepsight.models.engines.engine",
    "EngineLimits": "keepsight.models.engines.engine",
    "Failure": "keepsight.engine.watch_together",
    "Frame": "keepsight.video",
    "GapRecord": "keepsight.journal",
    "Journal": "keepsight.journal",
    "LoadSettings": "keepsight.sources.settings",
    "ModelIdentity": "keepsight.method.model_info",
    "ModelVersion": "keepsight.journal",
    "Moment": "keepsight.engine.stream_pipeline",
    "NoteKind": "keepsight.engine.watched_source",
    "Quota": "keepsight.journal",
    "Source": "keepsight.sources.plug_in",
    "SourceAddress": "keepsight.sources.address",
    "SourceEvent": "keepsight.engine.watch_together",
    "SourceKind": "keepsight.sources.address",
    "SourceNote": "keepsight.engine.watched_source",
    "SourceSettings": "keepsight.sources.settings",
    "SourceState": "keepsight.sources.supervision",
    "StateChange": "keepsight.sources.supervision",
    "StreamRecord": "keepsight.journal",
    "StreamSession": "keepsight.engine.session",
    "SupervisionSettings": "keepsight.sources.settings",
    "VideoFile": "keepsight.video",
    "VideoInfo": "keepsight.video",
    "VideoModel": "keepsight.method.protocol",
    "WatchTogether": "keepsight.engine.watch_together",
    "Watcher": "keepsight.engine.watcher",
    "answer_question": "keepsight.asking.answering",
    "load_model": "keepsight.models.loading",
    "open_video": "keepsight.video",
    "to_pandas": "keepsight.journal.notebook",
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
