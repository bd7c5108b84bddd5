"""What a source is, against its definition: the same bytes, more bytes behind them, or other bytes."""

import json
import os
import random
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepsight.sources.contents import FileContent
from keepsight.sources.identity import (
    HEADER_BYTES,
    BytesIdentity,
    ItemsIdentity,
    Relation,
    from_json,
    is_equal,
    places_in,
    to_json,
)

MATROSKA = b"\x1a\x45\xdf\xa3"
LENGTHS = st.integers(0, 1_500_000)


@dataclass
class Bytes:
    """Content in memory."""

    data: bytes
    num_read: int = field(default=0)

    @property
    def num_bytes(self) -> int:
        return len(self.data)

    def read(self, offset: int, length: int) -> bytes:
        piece = self.data[offset : offset + length]
        self.num_read += len(piece)
        return piece


def video_bytes(num_bytes: int, seed: int, start: bytes = b"\x47") -> bytes:
    return (start + random.Random(seed).randbytes(num_bytes))[:num_bytes]


def relation(before: bytes, after: bytes) -> Relation:
    return BytesIdentity.of(Bytes(before)).relation_to(Bytes(after))


@given(LENGTHS, st.integers(0, 99))
def test_the_same_bytes_are_the_same(num_bytes: int, seed: int) -> None:
    data = video_bytes(num_bytes, seed)
    assert relation(data, bytes(data)) is Relation.SAME
    identity = BytesIdentity.of(Bytes(data))
    assert is_equal(identity, BytesIdentity.of(Bytes(data)))
    assert from_json(to_json(identity)) == identity
    json.loads(to_json(identity))


@given(LENGTHS, st.integers(1, 300_000), st.integers(0, 99))
def test_more_bytes_behind_are_growth(num_bytes: int, more: int, seed: int) -> None:
    data = video_bytes(num_bytes + more, seed)
    expected = Relation.GROWN if num_bytes else Relation.DIFFERENT
    assert relation(data[:num_bytes], data) is expected
    assert relation(data, data[:num_bytes]) is Relation.DIFFERENT


@given(
    st.integers(1, 1_500_000), LENGTHS, st.integers(0, 99), st.sampled_from([b"\x47", MATROSKA, b"RIFF", b"....ftyp"])
)
def test_other_bytes_are_another_source(num_bytes: int, other_bytes: int, seed: int, start: bytes) -> None:
    before, after = video_bytes(num_bytes, seed, start), video_bytes(other_bytes, seed + 100, start)
    if num_bytes > len(start):
        assert relation(before, after) is Relation.DIFFERENT


@given(st.integers(1, 1_500_000), st.integers(1, 300_000), st.integers(0, 99))
def test_two_recordings_that_begin_alike_are_two(shared: int, rest: int, seed: int) -> None:
    """Both go on after a common beginning: the second is no continuation of the first, however long."""
    beginning = video_bytes(shared, seed)
    first, second = beginning + video_bytes(rest, seed + 100, b"a"), beginning + video_bytes(rest * 3, seed + 200, b"b")
    assert relation(first, second) is Relation.DIFFERENT


@given(st.integers(2 * HEADER_BYTES, 1_500_000), st.integers(0, 300_000), st.integers(0, 99))
def test_a_header_that_is_written_at_the_end_may_differ(num_bytes: int, more: int, seed: int) -> None:
    grown = bytearray(video_bytes(num_bytes + more, seed, MATROSKA))
    before = bytes(grown[:num_bytes])
    grown[40:48] = b"8 bytes!"  # the length of the segment
    assert relation(before, bytes(grown)) is (Relation.GROWN if more else Relation.SAME)
    stream = b"\x47" + before[1:]
    assert relation(stream, b"\x47" + bytes(grown[1:])) is Relation.DIFFERENT  # no format of a stream does that


def test_padding_tells_nothing() -> None:
    """Of two files that share nothing but zeros, such as what a recorder reserves, neither is the other."""
    before = MATROSKA + b"a" * 100 + bytes(400_000)
    after = MATROSKA + b"b" * 100 + bytes(500_000)
    assert relation(before, after) is Relation.DIFFERENT


@given(st.integers(0, 40_000_000_000))
def test_few_places_of_a_file_of_any_size(num_bytes: int) -> None:
    places = places_in(num_bytes)
    ends = [offset + length for offset, length in places]
    assert all(start >= end for (start, _), end in zip(places[1:], ends, strict=False))
    assert (places[0][0], ends[-1]) == (0, num_bytes) if num_bytes else places == []
    assert sum(length for _, length in places) <= 9 * 65_536
    if num_bytes <= 400_000:
        assert sum(length for _, length in places) == num_bytes


items = st.lists(st.tuples(st.text(max_size=3), st.integers(0, 9).map(str)), min_size=1, max_size=8)


@given(items, items)
def test_lists_grow_at_their_end(before: list[tuple[str, str]], more: list[tuple[str, str]]) -> None:
    seen = ItemsIdentity.of(before)
    assert from_json(to_json(seen)) == seen
    assert seen.relation_to(before) is Relation.SAME
    assert seen.relation_to(before + more) is Relation.GROWN
    assert seen.relation_to(more) is _definition(before, more)
    last = (before[-1][0], before[-1][1] + "9")
    assert seen.relation_to([*before[:-1], last]) is Relation.GROWN  # it was being written


def _definition(before: list[tuple[str, str]], now: list[tuple[str, str]]) -> Relation:
    if now == before:
        return Relation.SAME
    place = len(before) - 1
    is_longer = now[:place] == before[:place] and len(now) > place and now[place][0] == before[place][0]
    return Relation.GROWN if is_longer else Relation.DIFFERENT


def test_a_file_of_many_gigabytes_costs_little(tmp_path: Path) -> None:
    path = tmp_path / "long.mkv"
    with path.open("wb") as file:
        file.write(video_bytes(100_000, 1, MATROSKA))
        file.truncate(20_000_000_000)  # a sparse file
        file.seek(-1000, os.SEEK_END)
        file.write(b"end" * 100)
    content = FileContent(path)
    started = time.process_time()
    identity = BytesIdentity.of(content)
    assert content.relation_to(identity) is Relation.SAME
    assert time.process_time() - started < 1.0  # reading it all takes many seconds
    content.close()


def test_times_and_names_do_not_count(tmp_path: Path) -> None:
    path = tmp_path / "a.ts"
    path.write_bytes(video_bytes(50_000, 3))
    content = FileContent(path)
    os.utime(path, (1, 1))
    assert content.relation_to(content.identity) is Relation.SAME
    moved = path.rename(tmp_path / "b.ts")
    assert is_equal(FileContent(moved).identity, content.identity)


@pytest.mark.parametrize("with_another_inode", [True, False])
def test_an_open_file_is_what_it_was_until_it_is_written(tmp_path: Path, with_another_inode: bool) -> None:
    path, other = tmp_path / "a.ts", tmp_path / "b.ts"
    path.write_bytes(video_bytes(50_000, 3))
    other.write_bytes(video_bytes(60_000, 4))
    content = FileContent(path)
    if with_another_inode:
        other.rename(path)
        assert content.relation_to(content.identity) is Relation.SAME
        assert not content.is_at_its_path()
    else:
        path.write_bytes(other.read_bytes())
        assert content.relation_to(content.identity) is Relation.DIFFERENT
        assert content.is_at_its_path()
