"""Notices about a source, and checks that it is unchanged."""

from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from keepsight.errors import SourceChangedError, SourceStalledError, SourceUnreachableError
from keepsight.incoming import one_line
from keepsight.sources.contents import Content, FileContent
from keepsight.sources.identity import Relation
from keepsight.video import VideoInfo


class NoteKind(StrEnum):
    """Subject of a notice."""

    IDENTITY = "identity"
    """The content was replaced, has grown, was moved, or also exists elsewhere."""
    VIDEO_STREAM = "video_stream"
    """The file has several video streams, and one was chosen."""


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
