"""Every error that Keepsight raises on purpose, in one tree.

    KeepsightError
    ├── SettingError            a setting is out of range (also a ValueError)
    ├── PlugInError             a plug-in raised an exception, or returned something else than it must
    ├── VideoError
    │   ├── SourceNotFoundError     no such file
    │   ├── NotAVideoError          the file is not readable media
    │   ├── NoVideoStreamError      media without video (audio only)
    │   ├── TruncatedVideoError     the video ends early; frames before the damage were delivered
    │   ├── IncompleteVideoError    the source claims a longer duration; watching it again resumes
    │   ├── VideoTooLongError       the source is longer than the limit
    │   ├── SourceUnreachableError  a camera or server is unreachable, or closed the connection
    │   ├── SourceStalledError      a source sent no frame in time
    │   ├── SourceChangedError      the source's content was replaced
    │   ├── AddressRefusedError     the address is not allowed
    │   └── DecoderDiedError        the decoder process died, or hit its limits
    ├── ModelError
    │   ├── UnknownModelError       no such bundled name, folder or hub id
    │   ├── ModelDownloadError      the hub is unreachable or refuses, or the disk is full
    │   ├── UnsupportedModelError   a model whose architecture has no adapter
    │   ├── ModelTooBigError        the model does not fit in the device's memory
    │   ├── PromptTooLongError      a prompt is longer than the model's context window
    │   ├── WorkCancelledError      a caption or answer was cancelled
    │   └── EngineError             the server that answers refuses, or replies in another format
    │       ├── EngineBusyError         it is unreachable or busy; retry later
    │       └── EngineTimeoutError      it took too long
    ├── JournalError
    │   ├── JournalNotFoundError    no such journal
    │   ├── NotAJournalError        the file is not a Keepsight journal
    │   ├── JournalTooNewError      written by a later version of Keepsight
    │   ├── JournalLogError         the write-ahead log next to the journal is another journal's
    │   ├── EmptyJournalError       nothing has been captioned yet, or the quota removed all
    │   ├── UnknownStreamError      no stream or several streams match the name
    │   ├── JournalWriteError       writing failed (read-only, damaged)
    │   │   ├── DiskFullError           the disk or the journal's quota is full
    │   │   ├── JournalBusyError        another program holds the journal's lock
    │   │   └── JournalMovedError       the open journal was removed, renamed or replaced
    │   └── StreamLockedError       another watcher holds the stream
    ├── NotFoundError           the hub has no such stream, upload or question
    ├── ConflictError           a request conflicts with the current state
    │   └── UploadOffsetError       an upload resumes at another offset
    ├── BusyError               a limit of the hub is reached; retry later
    ├── TooLargeError           a request is too large
    ├── DeliveryError           a webhook did not accept an alert
    ├── DataError               a data set or results file does not match its format
    └── JudgeError              the judge of answers is unreachable or replies in another format
        ├── JudgeBusyError          it was busy or unreachable; retry
        └── MalformedVerdictError   its reply is not in the requested format

Each message is one line that says what is wrong and what to do. The command line prints it and exits
with code 2.
"""


class KeepsightError(Exception):
    """Root of all errors that Keepsight raises on purpose."""


class SettingError(KeepsightError, ValueError):
    """A setting is out of range; the message names the setting, its value and the range.

    Args:
        problem: `must be Y, got Z` if `setting` is given, else the whole message; one line.
        setting: name of the invalid field, which starts the message.
    """

    def __init__(self, problem: str, setting: str | None = None) -> None:
        super().__init__(problem if setting is None else f"{setting} {problem}")
        self.problem = problem
        self.setting = setting

    def spelled(self, spelling: str) -> "SettingError":
        """The same error with the setting spelled as given: a flag, a variable, a key of a file."""
        return SettingError(f"{spelling} {self.problem}")


class PlugInError(KeepsightError):
    """A plug-in raised an exception, or returned something else than it must; the message names its package.

    `__cause__` is the exception with its traceback.
    """


class VideoError(KeepsightError):
    """Something is wrong with a video source."""


class SourceNotFoundError(VideoError):
    """There is no file at the given path."""


class NotAVideoError(VideoError):
    """The file exists but is not readable media."""


class NoVideoStreamError(VideoError):
    """The file is media without video, such as an audio file."""


class TruncatedVideoError(VideoError):
    """The video ends before its claimed duration; every frame before the damage was delivered."""


class IncompleteVideoError(VideoError):
    """The source claims a longer duration, and no gap explains it; watching it again resumes."""


class VideoTooLongError(VideoError):
    """The source's actual or claimed duration exceeds the limit."""


class SourceUnreachableError(VideoError):
    """A camera or server is unreachable, refuses, or closed the connection; retry later."""


class SourceStalledError(VideoError):
    """A connected source sent no frame in time."""


class SourceChangedError(VideoError):
    """The source's content was replaced, such as a file under its name."""


class AddressRefusedError(VideoError):
    """The address has a scheme, or leads to a network, that is not allowed."""


class DecoderDiedError(VideoError):
    """The decoder process of a source crashed, or hit its memory or time limit."""


class NotFoundError(KeepsightError):
    """The hub has no such stream, upload, question or clip."""


class ConflictError(KeepsightError):
    """A request conflicts with the current state."""


class UploadOffsetError(ConflictError):
    """An upload resumes at another offset than the client sent.

    Args:
        message: one line.
        offset_bytes: expected offset.
    """

    def __init__(self, message: str, offset_bytes: int) -> None:
        super().__init__(message)
        self.offset_bytes = offset_bytes


class BusyError(KeepsightError):
    """A limit of the hub is reached; retry later."""


class TooLargeError(KeepsightError):
    """A request is too large."""


class DeliveryError(KeepsightError):
    """A webhook did not accept an alert. The message shows only the host of its address."""


class ModelError(KeepsightError):
    """Something is wrong with a model."""


class UnknownModelError(ModelError):
    """No bundled model, local folder or hub id has this name, or what has it is not a model."""


class ModelDownloadError(ModelError):
    """A model could not be downloaded: no network, no licence, a limit, a fault of the hub, too little disk."""


class UnsupportedModelError(ModelError):
    """The model's architecture has no adapter here."""


class ModelTooBigError(ModelError):
    """The model needs more memory than the device has."""


class PromptTooLongError(ModelError):
    """A prompt is longer than the model's context window."""


class WorkCancelledError(ModelError):
    """A caption or answer was cancelled."""


class EngineError(ModelError):
    """The server that answers questions refuses, or replies in another format. The message never has its key."""


class EngineBusyError(EngineError):
    """The server that answers questions is unreachable or busy; retry later.

    Attributes:
        wait_seconds: wait that it asked for, or None.
    """

    def __init__(self, message: str, wait_seconds: float | None = None) -> None:
        super().__init__(message)
        self.wait_seconds = wait_seconds


class EngineTimeoutError(EngineError):
    """The server that answers questions took too long; what it said until then is not an answer."""


class JournalError(KeepsightError):
    """Something is wrong with a journal."""


class JournalNotFoundError(JournalError):
    """There is no journal at the given path."""


class NotAJournalError(JournalError):
    """The file is not a Keepsight journal."""


class JournalTooNewError(JournalError):
    """The journal was written by a later version of Keepsight."""


class JournalLogError(JournalError):
    """The write-ahead log next to the journal belongs to another one; nothing was opened or changed."""


class EmptyJournalError(JournalError):
    """The journal holds no caption that could answer a question."""


class UnknownStreamError(JournalError):
    """No stream, or streams of several sources, match a name; the message lists them."""


class JournalWriteError(JournalError):
    """The journal could not be written."""


class DiskFullError(JournalWriteError):
    """The disk is full; stored data stays, and a retry may succeed."""


class JournalBusyError(JournalWriteError):
    """Another program holds the journal's lock; retry later."""


class JournalMovedError(JournalWriteError):
    """The open file is no longer at the journal's path; nothing more is stored."""


class StreamLockedError(JournalError):
    """Another watcher, in this process or another, is watching the stream."""


class DataError(KeepsightError):
    """A data set's folder or a results file is missing, or does not match its format."""


class JudgeError(KeepsightError):
    """The model that judges answers is unreachable, or replies in another format."""


class JudgeBusyError(JudgeError):
    """The judge was unreachable, busy, or sent no chat completion; retry.

    Attributes:
        wait_seconds: wait that it asked for, or None.
    """

    def __init__(self, message: str, wait_seconds: float | None = None) -> None:
        super().__init__(message)
        self.wait_seconds = wait_seconds


class MalformedVerdictError(JudgeError):
    """The judge's reply has no verdict in the requested format; retry."""
