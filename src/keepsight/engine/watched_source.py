"""The source being watched: its state now, whether it is unchanged, and notices for the user."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum

from keepsight.errors import SourceChangedError, SourceStalledError, SourceUnreachableError
from keepsight.incoming import one_line
from keepsight.journal import StreamRecord
from keepsight.sources.contents import Content, FileContent
from keepsight.sources.identity import Relation, SourceIdentity, from_json, to_json
from keepsight.video import VideoInfo


@dataclass(frozen=True, eq=False)
class SourceNow:
    """Current state of a source to watch.

    Attributes:
        name: path or address, without credentials.
        content: its content; None for a source without identifiable content.
        video_stream: index of the video stream to read; None if the source has no such indexes.
        first_video_stream: the index that older journals without an index mean.
        info: its video properties; None for a live source and pushed frames.
    """

    name: str
    content: Content | None = None
    video_stream: int | None = None
    first_video_stream: int = 0
    info: VideoInfo | None = None
    _relations: dict[str, Relation] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, name: str, info: VideoInfo, content: Content | None) -> "SourceNow":
        """State of an open source.

        Args:
            name: path or address, without credentials.
            info: its video properties.
            content: its content.
        """
        if content is None:
            return cls(name, info=info)
        return cls(name, content, info.video_stream, info.first_video_stream, info)

    @property
    def identity_json(self) -> str | None:
        """Its content identity, as stored in the journal."""
        return None if self.content is None else to_json(self.content.identity)

    def relation_to(self, stream: StreamRecord) -> Relation:
        """Relation of the source to the content of a stream; cached.

        Raises:
            VideoError: it can no longer be read.
        """
        seen = recorded_identity(stream)
        if seen is None or self.content is None or stream.identity_json is None:
            return Relation.DIFFERENT
        if stream.identity_json not in self._relations:
            self._relations[stream.identity_json] = self.content.relation_to(seen)
        return self._relations[stream.identity_json]

    def compare_with(self, streams: Sequence[StreamRecord]) -> None:
        """Compute `relation_to` for several streams in advance.

        Raises:
            VideoError: it can no longer be read.
        """
        for stream in streams:
            self.relation_to(stream)

    def is_of(self, stream: StreamRecord) -> bool:
        """Whether a stream was watched from the same video stream."""
        known = stream.video_stream
        wanted = self.video_stream
        return wanted is None or wanted == (self.first_video_stream if known is None else known)


def recorded_identity(stream: StreamRecord) -> SourceIdentity | None:
    """Content that a stream was watched from; None if an older journal recorded none, or the source has none."""
    return None if stream.identity_json is None else from_json(stream.identity_json)


class NoteKind(StrEnum):
    """Subject of a notice."""

    IDENTITY = "identity"
    """The content was replaced, has grown, was moved, or also exists elsewhere."""
    VIDEO_STREAM = "video_stream"
    """The file has several video streams, and one was chosen."""
    WINDOW = "window"
    """The model's context window does not hold the whole memory."""


@dataclass(frozen=True)
class SourceNote:
    """Notice for the user about a source.

    Attributes:
        kind: subject.
        text: one line, without credentials.
    """

    kind: NoteKind
    text: str


def choice_note(name: str, info: VideoInfo) -> SourceNote | None:
    """Notice of which video stream of a file is watched; None if it has only one."""
    if not info.video_streams:
        return None
    listed = ", ".join(f"{number}: {one_line(text)}" for number, text in enumerate(info.video_streams))
    text = f"{one_line(name)} has {len(info.video_streams)} video streams ({listed}); watching {info.video_stream}"
    return SourceNote(NoteKind.VIDEO_STREAM, text)


class Unchanged:
    """Prevents mixing frames of two videos in one stream.

    It is checked after a clip's frames were read, so they belong to the source as it was until then. Local files are
    checked before storing each clip, at the cost of a `stat`; others before the first and the last.

    Args:
        name: name for errors.
        content: content at the start of the stream; None for a source without identifiable content.
    """

    def __init__(self, name: str, content: Content | None) -> None:
        self._name = name
        self._content = content
        self._is_first = True

    def __call__(self, is_last: bool) -> None:
        """Raise if a clip must not be stored.

        Raises:
            SourceChangedError: the source's content was replaced.
            VideoError: it can no longer be read.
        """
        content, is_first = self._content, self._is_first
        self._is_first = False
        if content is None or not (is_first or is_last or isinstance(content, FileContent)):
            return
        if not isinstance(content, FileContent):
            self._ask(content)
            return
        # The decoding process opens the file by name, after it was opened here.
        is_another = is_first and not content.is_at_its_path()
        if is_another or content.relation_to(content.identity) is Relation.DIFFERENT:
            raise self._replaced()

    def _ask(self, content: Content) -> None:
        """Check the content; a server that does not answer now proves no change."""
        with suppress(SourceUnreachableError, SourceStalledError):
            if content.relation_to(content.identity) is Relation.DIFFERENT:
                raise self._replaced()

    def _replaced(self) -> SourceChangedError:
        return SourceChangedError(
            f"{one_line(self._name)} was replaced while it was watched: its clips show the old content; "
            "watch it again for the new content"
        )
