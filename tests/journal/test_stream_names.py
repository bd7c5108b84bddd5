"""Which stream a name means: whole parts only, the closest first, and nothing guessed."""

import random
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from keepsight.errors import UnknownStreamError
from keepsight.journal import StreamRecord, stream_named

CAM1, OLD, CAM10 = "/full/path/cam1.mp4", "/full/path/cam1.mp4.old.mp4", "/full/path/cam10.mp4"
HALL, DOOR = "rtsp://hall.example/main", "rtsp://10.0.0.7:8554/main?profile=1"


def streams_of(*sources: str) -> list[StreamRecord]:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    return [StreamRecord(f"{n:016x}", one, "tiny", "{}", moment) for n, one in enumerate(sources)]


@pytest.mark.parametrize(
    ("sources", "name", "found"),
    [
        ((CAM1, OLD), CAM1, CAM1),
        ((CAM1, OLD), "cam1.mp4", CAM1),
        ((CAM1, OLD), "cam1", CAM1),
        ((OLD, CAM10), "cam1.mp4.old", OLD),
        ((CAM1, CAM10), "cam1", CAM1),
        ((CAM1, CAM10), "path/cam10", CAM10),
        ((CAM1, "/a/cam1"), "cam1", "/a/cam1"),
        ((CAM1, "/full/path"), "path", "/full/path"),
        ((CAM1, "/other/cam2.mp4"), "full", CAM1),
        ((CAM1, "/other/cam2.mp4"), "/full/path", CAM1),
        ((CAM1, "/other/full/path/x.mp4"), "/full", CAM1),
        ((CAM1, "/other/cam1.mp4"), "other/cam1.mp4", "/other/cam1.mp4"),
        (("/a/Cam1.mp4", CAM1), "Cam1.mp4", "/a/Cam1.mp4"),
        (("/a/Cam1.mp4", CAM10), "CAM1", "/a/Cam1.mp4"),
        (("/a/cafe\u0301.mp4",), "caf\u00e9.mp4", "/a/cafe\u0301.mp4"),
        ((HALL, DOOR), "hall.example", HALL),
        ((HALL, DOOR), "10.0.0.7", DOOR),
        ((HALL, DOOR), "10.0.0.7:8554/main", DOOR),
        ((HALL, DOOR), "rtsp://10.0.0.7:8554/main", DOOR),
        ((HALL, DOOR), "rtsp://user:word@hall.example:554/main", HALL),
        ((HALL, DOOR), "main?profile=1", DOOR),
        (("rtsp://[::1]:554/a", HALL), "::1", "rtsp://[::1]:554/a"),
        (("push:door", "push:door2"), "door", "push:door"),
        (("push:door", "push:door2"), "push:door", "push:door"),
        (("upload:77aa/kitchen.mp4", "/a/hall.mp4"), "kitchen.mp4", "upload:77aa/kitchen.mp4"),
        (("stdin", "/a/stdin.mp4"), "stdin", "stdin"),
        (("/a/what?.mp4",), "what?", "/a/what?.mp4"),
        (("/a/caf\\udce9.mp4",), "caf\udce9", "/a/caf\\udce9.mp4"),
    ],
)
def test_a_name_that_means_one(sources: tuple[str, ...], name: str, found: str) -> None:
    for order in (sources, sources[::-1]):
        assert stream_named(streams_of(*order), name).source == found


@pytest.mark.parametrize(
    ("sources", "name"),
    [
        ((OLD, CAM10), "cam1"),
        ((CAM1, CAM10), "cam"),
        ((CAM1,), "am1.mp4"),
        ((CAM1,), ".mp4"),
        ((CAM1,), "/cam1.mp4"),
        ((CAM1,), "path/full"),
        ((CAM1,), ""),
        ((CAM1,), " "),
        ((CAM1,), "/"),
        ((CAM1,), "\0"),
        ((CAM1,), "\ud800"),
        ((HALL,), "hall"),
        ((HALL,), "example"),
        ((HALL,), "http://hall.example/main"),
        ((DOOR,), "10.0.0"),
        ((DOOR,), "8554"),
        ((), "cam1"),
    ],
)
def test_a_part_of_a_part_is_no_name(sources: tuple[str, ...], name: str) -> None:
    with pytest.raises(UnknownStreamError, match=r"^no stream matches .*; the journal has"):
        stream_named(streams_of(*sources), name)


@pytest.mark.parametrize(
    ("sources", "name"),
    [((HALL, DOOR), "main"), ((CAM1, "/other/cam1.mp4"), "cam1.mp4"), ((CAM1, CAM10), "full")],
)
def test_what_several_have_is_listed_and_one_of_the_list_will_do(sources: tuple[str, ...], name: str) -> None:
    streams = streams_of(*sources)
    with pytest.raises(UnknownStreamError) as refused:
        stream_named(streams, name)
    for stream in streams:
        assert f"{stream.source} (id {stream.id})" in str(refused.value)
        assert stream_named(streams, stream.id) == stream
        assert stream_named(streams, stream.source) == stream


def test_of_one_source_the_newest_counts() -> None:
    streams = streams_of(CAM1, CAM10, CAM1)
    for name in (CAM1, "cam1.mp4", "cam1"):
        assert stream_named(streams, name) == streams[2]
    assert stream_named(streams, streams[0].id) == streams[0]


def test_content_that_was_found_elsewhere_has_those_names_too() -> None:
    copied, other = streams_of("/full/path/a.mp4", "/other/cam10.mp4")
    streams = [replace(copied, other_names=(CAM10, "/x/b.mp4")), other]
    for name in (CAM10, "path/cam10", "b"):
        assert stream_named(streams, name) == streams[0]
    with pytest.raises(UnknownStreamError, match="matches several"):
        stream_named(streams, "cam10.mp4")
    replaced = [streams[0], *streams_of("", "", CAM10)[2:]]
    for name in (CAM10, "cam10"):
        assert stream_named(replaced, name) == replaced[1]


def test_a_path_is_meant_from_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    here = str(tmp_path.resolve() / "cam1.mp4")
    for name in ("cam1.mp4", "./cam1.mp4", f"../{tmp_path.name}/cam1.mp4"):
        assert stream_named(streams_of(CAM1, here), name).source == here


def test_the_error_is_one_line_without_a_password_and_lists_a_few() -> None:
    streams = streams_of(*(f"/videos/{n}\n.mp4" for n in range(100)))
    for name in ("rtsp://me:hunter2@hall.example/x", "x" * 9000, "a\x1b[31m\nb"):
        with pytest.raises(UnknownStreamError) as refused:
            stream_named(streams, name)
        message = str(refused.value)
        assert message.isprintable()
        assert "hunter2" not in message
        assert len(message) < 800
        assert "and 92 more" in message


WORDS = st.sampled_from(["a", "b", "ab", "a.mp4", "ab.mp4", "a.mp4.mp4", "cam1", "cam10", "cam1.mp4", ".mp4"])
PATHS = st.lists(WORDS, min_size=1, max_size=4).map(lambda words: "/" + "/".join(words))
ADDRESSES = st.lists(WORDS, min_size=1, max_size=3).map(lambda words: "rtsp://" + "/".join(words))
SOURCES = st.lists(PATHS | ADDRESSES, min_size=1, max_size=6, unique=True)
HOST_ALONE = re.compile("rtsp://[^/]+")
"""An address without a path: its last part is a host, which has no file extension."""
NAMES = PATHS | ADDRESSES | st.lists(WORDS, min_size=1, max_size=3).map("/".join)


@given(sources=SOURCES)
def test_whole_names_and_ids_always_find_their_stream(sources: list[str]) -> None:
    streams = streams_of(*sources)
    for stream in streams:
        assert stream_named(streams, stream.source) == stream
        assert stream_named(streams, stream.id) == stream


@given(sources=SOURCES, name=NAMES, seed=st.randoms(use_true_random=False))
@example(sources=["rtsp://cam1.mp4"], name="cam1", seed=random.Random(0))
@example(sources=["rtsp://a/cam1.mp4"], name="cam1", seed=random.Random(0))
def test_what_is_found_has_the_name_in_whole_parts_and_no_closer_one_was_passed_over(
    sources: list[str], name: str, seed: random.Random
) -> None:
    """Against a search by regular expression: between slashes, or before a file's extension at the end."""
    inside = re.compile(rf"(?:^|/){re.escape(name.strip('/'))}(?=/|$|\.[^./]+$)")
    whole = re.compile(rf"(?:^|/){re.escape(name.strip('/'))}(?=/|$)")
    fitting = [source for source in sources if (whole if HOST_ALONE.fullmatch(source) else inside).search(source)]
    shuffled = sources.copy()
    seed.shuffle(shuffled)
    try:
        found = stream_named(streams_of(*shuffled), name).source
    except UnknownStreamError:
        assert len(fitting) != 1 or name.startswith(("/", "rtsp:")), fitting
        return
    assert found in fitting
    by_file_name = [source for source in sources if source.rpartition("/")[2] == name]
    assert not by_file_name or found in by_file_name


@given(sources=SOURCES, name=NAMES, other=PATHS)
def test_a_stream_that_comes_to_it_is_meant_itself_or_makes_the_name_unclear_or_changes_nothing(
    sources: list[str], name: str, other: str
) -> None:
    assume(other not in sources)
    try:
        before = stream_named(streams_of(*sources), name).source
    except UnknownStreamError:
        return
    streams = streams_of(*sources, other)
    try:
        assert stream_named(streams, name).source in (before, other)
    except UnknownStreamError as refused:
        message = str(refused)
        if not (before in message and other in message):
            raise
