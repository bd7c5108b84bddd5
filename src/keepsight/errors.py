"""Every error that Keepsight raises on purpose, in one tree.

    KeepsightError
    ├── SettingError            a setting is outside what is allowed (also a ValueError)
    ├── VideoError
    │   ├── SourceNotFoundError     no such file
    │   ├── NotAVideoError          the file is no media that can be read
    │   ├── NoVideoStreamError      media without pictures (audio only)
    │   ├── TruncatedVideoError     the pictures end early; those before the damage were delivered
    │   ├── VideoTooLongError       the source says that it is longer than is watched here
    │   ├── SourceUnreachableError  a camera or server cannot be reached, or ended the connection
    │   ├── SourceStalledError      a source has sent no picture for too long
    │   ├── AddressRefusedError     an address that may not be connected to
    │   └── DecoderDiedError        the process that decodes came to its end, or its limits
    ├── ModelError
    │   ├── UnknownModelError       no such bundled name, folder or hub id
    │   ├── UnsupportedModelError   a model whose architecture has no adapter
    │   ├── ModelTooBigError        the model does not fit in the device's memory
    │   └── PromptTooLongError      a prompt is longer than the model's context window
    ├── JournalError
    │   ├── JournalNotFoundError    no such journal
    │   ├── NotAJournalError        the file is not a Keepsight journal
    │   ├── JournalTooNewError      written by a later version of Keepsight
    │   ├── EmptyJournalError       nothing has been captioned yet
    │   ├── JournalWriteError       the disk refused a write (read-only, locked, damaged)
    │   │   └── DiskFullError           there is no room on the disk, or in the journal's quota
    │   └── StreamLockedError       another watcher has the stream
    ├── DeliveryError           a webhook did not take an alert
    ├── DataError               a data set or results file is not what its format says
    └── JudgeError              the judge of answers cannot be reached or does not answer as asked
        ├── JudgeBusyError          it was busy or out of reach; asking again may help
        └── MalformedVerdictError   its reply is not in the form that was asked for

Each message is one line that says what is wrong and what is allowed; the command line prints it as it
stands and ends with exit code 2.
"""


class KeepsightError(Exception):
    """Root of all errors that Keepsight raises on purpose."""


class SettingError(KeepsightError, ValueError):
    """A setting is outside what is allowed; the message names the setting, its value and the range."""


class VideoError(KeepsightError):
    """Something is wrong with a video source."""


class SourceNotFoundError(VideoError):
    """There is no file at the given path."""


class NotAVideoError(VideoError):
    """The file exists but holds no media that can be read."""


class NoVideoStreamError(VideoError):
    """The file is media but has no pictures, such as an audio file."""


class TruncatedVideoError(VideoError):
    """The pictures end before the file says they should; every frame before the damage was delivered."""


class VideoTooLongError(VideoError):
    """The source is longer than is watched here, or says that it is."""


class SourceUnreachableError(VideoError):
    """A camera or server cannot be reached, refuses, or has ended the connection; trying again may help."""


class SourceStalledError(VideoError):
    """A source is connected and has sent no picture for too long."""


class AddressRefusedError(VideoError):
    """The address is of a kind, or leads to a place, that may not be connected to."""


class DecoderDiedError(VideoError):
    """The process that decodes a source crashed, or came to its limit of memory or time."""


class DeliveryError(KeepsightError):
    """A webhook did not take an alert. The message holds no more of its address than the host."""


class ModelError(KeepsightError):
    """Something is wrong with a model."""


class UnknownModelError(ModelError):
    """No bundled model, local folder or reachable hub id has this name."""


class UnsupportedModelError(ModelError):
    """The model's architecture has no adapter here."""


class ModelTooBigError(ModelError):
    """The model needs more memory than the device has."""


class PromptTooLongError(ModelError):
    """A prompt is longer than the model's context window."""


class JournalError(KeepsightError):
    """Something is wrong with a journal."""


class JournalNotFoundError(JournalError):
    """There is no journal at the given path."""


class NotAJournalError(JournalError):
    """The file is not a Keepsight journal."""


class JournalTooNewError(JournalError):
    """The journal was written by a later version of Keepsight."""


class EmptyJournalError(JournalError):
    """The journal holds no caption that could answer a question."""


class JournalWriteError(JournalError):
    """The journal could not be written."""


class DiskFullError(JournalWriteError):
    """There is no room for a write; what was stored stays, and there may be room later."""


class StreamLockedError(JournalError):
    """Another watcher, of this process or another one, is watching the stream."""


class DataError(KeepsightError):
    """A data set's folder or a results file is missing, or is not what its format says."""


class JudgeError(KeepsightError):
    """The model that judges answers cannot be reached, or does not answer in the form it was asked for."""


class JudgeBusyError(JudgeError):
    """The judge could not be reached, was busy, or sent what is no chat completion; asking again may help.

    Attributes:
        wait_seconds: how long it asked to be left alone, None where it did not say.
    """

    def __init__(self, message: str, wait_seconds: float | None = None) -> None:
        super().__init__(message)
        self.wait_seconds = wait_seconds


class MalformedVerdictError(JudgeError):
    """The judge's reply holds no verdict in the form that was asked for; asking again may help."""
