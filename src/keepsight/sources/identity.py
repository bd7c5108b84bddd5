"""Identity of a source's content, by sampling a few places, so that a file of many gigabytes takes milliseconds.

A file's identity is its length and digests of its start, its end and some places between. A longer file with the same
bytes at those places is the same file, grown: MPEG-TS, fragmented MP4, Matroska and downloads are written front to
back. Formats that store a length or index in their first bytes at the end (Matroska, AVI, FLV, MP4) may differ there,
if the rest is equal. File times are ignored, so a touched file is the same.

A folder of images and a playlist of segments are lists of items that grow at their end.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from hashlib import blake2b
from typing import Any, Protocol

HEADER_BYTES = 16_384
"""Leading bytes in which a format may store what it only knows at the end."""

_HEADER_BLOCK_BYTES, _BLOCK_BYTES = 4_096, 65_536
_NUM_INNER_BLOCKS = 7
_DIGEST_BYTES = 16
_REWRITTEN_STARTS = (b"\x1a\x45\xdf\xa3", b"RIFF", b"FLV")


class Relation(StrEnum):
    """Relation of content to content watched before."""

    SAME = "same"
    GROWN = "grown"
    DIFFERENT = "different"


class Readable(Protocol):
    """Bytes with random access."""

    @property
    def num_bytes(self) -> int | None:
        """Length; None if unknown, in which case only the start is readable."""

    def read(self, offset: int, length: int) -> bytes:
        """Read `length` bytes from an offset; fewer only at the end."""


@dataclass(frozen=True)
class Block:
    """A range of bytes and its digest (BLAKE2b, hexadecimal)."""

    offset: int
    length: int
    digest: str


@dataclass(frozen=True)
class BytesIdentity:
    """Identity of a file.

    Attributes:
        num_bytes: length; None if the server does not state it.
        blocks: digests of some ranges, in order.
        validator: the server's validator of this version; empty for local files.
    """

    num_bytes: int | None
    blocks: tuple[Block, ...]
    validator: str = ""

    @classmethod
    def of(
        cls, content: Readable, places: Iterable[tuple[int, int]] | None = None, validator: str = ""
    ) -> "BytesIdentity":
        """Identity of content.

        Args:
            content: read only at those places.
            places: offset and length of each block; None for `places_in` its length.
            validator: see the class.
        """
        size = content.num_bytes
        chosen = places_in(size or 0) if places is None else places
        blocks = (Block(offset, length, _digest(content.read(offset, length))) for offset, length in chosen)
        return cls(size, tuple(blocks), validator)

    def relation_to(self, content: Readable, validator: str = "") -> Relation:
        """Relation of current content to this identity.

        Args:
            content: read at the places known here.
            validator: the server's validator, if any; an equal one is trusted.
        """
        size, before = content.num_bytes, self.num_bytes
        if validator and validator == self.validator and size == before:
            return Relation.SAME
        if size is None or before is None:
            is_same = size == before and validator == self.validator and self._has_same_bytes(content)
            return Relation.SAME if is_same else Relation.DIFFERENT
        if size < before or (size > before and not self._knows_its_end) or not self._has_same_bytes(content):
            return Relation.DIFFERENT
        return Relation.SAME if size == before else Relation.GROWN

    @property
    def _knows_its_end(self) -> bool:
        """Whether the last bytes are known, since many videos start alike. A server may not support range requests."""
        return bool(self.blocks) and self.blocks[-1].offset + self.blocks[-1].length == self.num_bytes

    def _has_same_bytes(self, content: Readable) -> bool:
        is_header_same, is_rest_told = True, False
        for block in reversed(self.blocks):  # replaced content usually differs at the end first
            data = content.read(block.offset, block.length)
            if _digest(data) == block.digest:
                is_rest_told |= block.offset > 0 and len(set(data)) > 1  # padding is equal everywhere
            elif block.offset < HEADER_BYTES:
                is_header_same = False
            else:
                return False
        return is_header_same or (is_rest_told and _rewrites_its_header(content.read(0, 8)))


@dataclass(frozen=True)
class ItemsIdentity:
    """Identity of a list that grows at its end.

    Attributes:
        num_items: number of items.
        digest: digest of all items but the last.
        last_name: name of the last item, which may have been incomplete.
        last_detail: size or length of the last item.
    """

    num_items: int
    digest: str
    last_name: str
    last_detail: str

    @classmethod
    def of(cls, items: Sequence[tuple[str, str]]) -> "ItemsIdentity":
        """Identity of items.

        Args:
            items: name and size or length of each, at least one, in order.
        """
        name, detail = items[-1]
        return cls(len(items), _digest_of_items(items[:-1]), name, detail)

    def relation_to(self, items: Sequence[tuple[str, str]]) -> Relation:
        """Relation of current items to these."""
        place = self.num_items - 1
        if len(items) < self.num_items or items[place][0] != self.last_name:
            return Relation.DIFFERENT
        if _digest_of_items(items[:place]) != self.digest:
            return Relation.DIFFERENT
        is_same = len(items) == self.num_items and items[place][1] == self.last_detail
        return Relation.SAME if is_same else Relation.GROWN


SourceIdentity = BytesIdentity | ItemsIdentity
"""Identity of a source's content."""


def places_in(num_bytes: int) -> list[tuple[int, int]]:
    """Offsets and lengths of a file's blocks: start, end, some between; all of a small file."""
    header = min(num_bytes, HEADER_BYTES)
    places = [(offset, _HEADER_BLOCK_BYTES) for offset in range(0, header, _HEADER_BLOCK_BYTES)]
    last = num_bytes - _BLOCK_BYTES
    if last <= HEADER_BYTES + _NUM_INNER_BLOCKS * _BLOCK_BYTES:
        places += [(offset, _BLOCK_BYTES) for offset in range(header, num_bytes, _BLOCK_BYTES)]
    else:
        step = (last - header) // (_NUM_INNER_BLOCKS + 1)
        length = min(step, _BLOCK_BYTES)  # for a file slightly too large to read whole
        places += [(header + step * number, length) for number in range(1, _NUM_INNER_BLOCKS + 1)]
        places.append((last, _BLOCK_BYTES))
    return [(offset, min(num_bytes_there, num_bytes - offset)) for offset, num_bytes_there in places]


def is_equal(one: SourceIdentity, other: SourceIdentity) -> bool:
    """Whether two identities match by content alone, without server validators."""
    if isinstance(one, BytesIdentity) and isinstance(other, BytesIdentity):
        return (one.num_bytes, one.blocks) == (other.num_bytes, other.blocks) and one.num_bytes is not None
    return one == other


def to_json(identity: SourceIdentity) -> str:
    """Serialise an identity; `from_json` parses it."""
    return json.dumps({"kind": _KINDS[type(identity)], **asdict(identity)}, sort_keys=True)


def from_json(text: str) -> SourceIdentity | None:
    """Parse the output of `to_json`; None for an unknown kind."""
    values: Mapping[str, Any] = json.loads(text)
    given = {name: value for name, value in values.items() if name != "kind"}
    if values["kind"] == _KINDS[ItemsIdentity]:
        return ItemsIdentity(**given)
    if values["kind"] == _KINDS[BytesIdentity]:
        return BytesIdentity(**given | {"blocks": tuple(Block(**block) for block in given["blocks"])})
    return None


_KINDS: Mapping[type, str] = {BytesIdentity: "bytes", ItemsIdentity: "items"}


def _rewrites_its_header(start: bytes) -> bool:
    """Whether a format rewrites its first bytes at the end: Matroska, AVI, FLV, or MP4 by its first box."""
    return start.startswith(_REWRITTEN_STARTS) or start[4:8] == b"ftyp"


def _digest(data: bytes) -> str:
    return blake2b(data, digest_size=_DIGEST_BYTES).hexdigest()


def _digest_of_items(items: Iterable[tuple[str, str]]) -> str:
    return _digest(json.dumps([list(item) for item in items]).encode())
