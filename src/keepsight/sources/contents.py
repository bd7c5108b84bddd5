"""Current content of a source, and whether it is still what was watched (`identity`).

A file is held open, so it cannot be swapped between two looks: replacing it by rename leaves the open one intact, and
writing into it changes its bytes.
"""

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Protocol

from keepsight.errors import SourceNotFoundError, VideoError
from keepsight.incoming import one_line
from keepsight.sources.address import SourceAddress, SourceKind
from keepsight.sources.identity import BytesIdentity, ItemsIdentity, Relation, SourceIdentity
from keepsight.sources.plug_in import lister_of

Items = list[tuple[str, str]]


class Content(Protocol):
    """Content of a source.

    Attributes:
        identity: identity when opened.
        is_local: whether it is on this machine, so that checking is cheap.
    """

    identity: SourceIdentity
    is_local: bool

    def relation_to(self, seen: SourceIdentity) -> Relation:
        """Relation of the current content to what was watched before.

        Raises:
            VideoError: it is no longer readable.
        """

    def close(self) -> None:
        """Close it. Idempotent."""


class FileContent:
    """A local file, held open.

    Args:
        path: the file.

    Raises:
        SourceNotFoundError: it cannot be opened.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        try:
            self._descriptor: int | None = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise SourceNotFoundError(f"{one_line(path)} can't be read: {reason}") from error
        self.is_local = True
        self._looked_at = self._look()
        self._last: tuple[SourceIdentity, Relation] | None = None
        self.identity: SourceIdentity = BytesIdentity.of(self)

    @property
    def num_bytes(self) -> int:
        """Current length."""
        return os.fstat(self._open_descriptor).st_size

    def read(self, offset: int, length: int) -> bytes:
        data = b""
        while piece := os.pread(self._open_descriptor, length - len(data), offset + len(data)):
            data += piece
        return data

    def relation_to(self, seen: SourceIdentity) -> Relation:
        """Relation to earlier content (`Content`); cheap if nothing was written since the last call."""
        now = self._look()
        if self._last is not None and self._last[0] is seen and self._looked_at == now:
            return self._last[1]
        try:
            relation = seen.relation_to(self) if isinstance(seen, BytesIdentity) else Relation.DIFFERENT
        except OSError as error:
            raise SourceNotFoundError(f"{one_line(self.path)} can't be read: {error.strerror}") from error
        self._looked_at, self._last = now, (seen, relation)
        return relation

    def is_at_its_path(self) -> bool:
        """Whether the open file is still at its path. A moved or deleted file stays intact while open."""
        try:
            return os.path.samestat(os.fstat(self._open_descriptor), self.path.stat())
        except OSError:
            return True

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    @property
    def _open_descriptor(self) -> int:
        if self._descriptor is None:
            raise VideoError(f"{one_line(self.path)} is closed")
        return self._descriptor

    def _look(self) -> tuple[int, int, int]:
        status = os.fstat(self._open_descriptor)
        return status.st_size, status.st_mtime_ns, status.st_ctime_ns


class ListedContent:
    """Content that is a list of items: images of a folder, segments of a playlist.

    Args:
        list_items: returns them in order.
        is_local: see `Content`.
    """

    def __init__(self, list_items: Callable[[], Items], *, is_local: bool) -> None:
        self._list_items = list_items
        self.is_local = is_local
        self.identity: SourceIdentity = ItemsIdentity.of(list_items())

    def relation_to(self, seen: SourceIdentity) -> Relation:
        return seen.relation_to(self._list_items()) if isinstance(seen, ItemsIdentity) else Relation.DIFFERENT

    def close(self) -> None: ...


def open_local_content(address: SourceAddress) -> Content | None:
    """Content of a local file, folder or plug-in source with items; None for other sources.

    Raises:
        VideoError: it is not readable.
    """
    if address.kind is SourceKind.FILE:
        return FileContent(address.text)
    if address.kind is SourceKind.FOLDER:
        from keepsight.sources.readers.folder import list_pictures

        return ListedContent(lambda: list_pictures(address.text), is_local=True)
    if address.part is not None and (list_items := lister_of(address.part)) is not None:
        return ListedContent(list_items, is_local=True)
    return None


def is_still_at(name: str, seen: SourceIdentity) -> bool:
    """Whether earlier content is still, unchanged, at a local path."""
    if not Path(name).is_absolute():
        return True  # addresses and uploads are not checked
    try:
        content = open_local_content(SourceAddress.parse(name))
        if content is None:
            return False
        with closing(content):
            return content.relation_to(seen) is Relation.SAME
    except (VideoError, OSError):
        return False
