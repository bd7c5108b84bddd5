"""Kinds of sources of other packages: opened where all are decoded, with times, identity and resuming as the others."""

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from keepsight.engine.stream_pipeline import Moment
from keepsight.engine.watched_source import SourceNote
from keepsight.engine.watcher import Watcher
from keepsight.errors import (
    AddressRefusedError,
    DecoderDiedError,
    IncompleteVideoError,
    PlugInError,
    SettingError,
    SourceNotFoundError,
    VideoError,
)
from keepsight.journal import Journal
from keepsight.settings import Settings
from keepsight.sources.address import SourceAddress, SourceKind, check_is_under
from keepsight.sources.isolated import connect
from keepsight.sources.plug_in import lister_of
from keepsight.sources.reader import ArrayReader
from keepsight.sources.settings import SourceSettings
from keepsight.sources.supervision import SourceState, StateChange
from tests.fake_model import FakeModel
from tests.plug_in import install

EXAMPLE = Path(__file__).parents[2] / "examples" / "keepsight-example-plugin" / "keepsight_example_source.py"
QUICK = Settings(frames_per_clip=4, sample_fps=2.0, retention=0.25, memory_clips=3, max_caption_tokens=32)
FPS = 4

OTHERS = """
from dataclasses import dataclass
import numpy as np
from keepsight.errors import SourceUnreachableError
from keepsight.sources.reader import ArrayReader

def pictures(num_pictures):
    for number in range(num_pictures):
        yield number / 2, np.full((8, 8, 3), number, np.uint8)

def lost(num_pictures):
    yield from pictures(num_pictures)
    raise SourceUnreachableError("the test pattern is gone")

@dataclass(frozen=True)
class Pattern:
    claimed_seconds: float = 0.0
    is_live: bool = False

    @classmethod
    def from_address(cls, text):
        return cls(float(text.partition("://")[2]))

    @property
    def name(self):
        return f"pattern://{self.claimed_seconds:g}"

    def open(self):
        if self.is_live:
            return ArrayReader(lost(8), is_live=True, average_fps=2)
        num_pictures = 8 if self.claimed_seconds >= 0 else 0
        return ArrayReader(pictures(num_pictures), duration_seconds=self.claimed_seconds, average_fps=2)
"""


@pytest.fixture
def plug_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two packages with kinds of sources, installed for this process and those that it starts."""
    site = tmp_path / "site"
    code = EXAMPLE.read_text(encoding="utf-8")
    for module in ("keepsight_example_source", "pattern_source"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    point = "npy = keepsight_example_source:ArrayFolder"
    install(site, "keepsight-example-plugin", "keepsight_example_source", code, sources=point)
    install(site, "pattern-source", "pattern_source", OTHERS, sources="pattern = pattern_source:Pattern")
    monkeypatch.syspath_prepend(site)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")])))
    return site


def write_arrays(folder: Path, numbers: range) -> Path:
    """Pictures of which each has its number for a grey value."""
    folder.mkdir(exist_ok=True)
    for number in numbers:
        np.save(folder / f"{number:04}.npy", np.full((6, 8, 3), number, np.uint8))
    return folder


def watch(journal: Path, source: Any, model: FakeModel) -> tuple[list[Moment], list[str]]:
    """Moments, and what was said of the source."""
    with Watcher(model, journal, QUICK) as watcher:
        events = list(watcher.events(source))
    said = [event.text for event in events if isinstance(event, SourceNote)]
    return [event for event in events if isinstance(event, Moment)], said


@pytest.mark.usefixtures("plug_ins")
@pytest.mark.parametrize("start_seconds", [0.0, 1.5])
def test_frames_are_what_is_on_screen_at_each_instant(tmp_path: Path, start_seconds: float) -> None:
    folder = write_arrays(tmp_path / "frames", range(10))
    address = SourceAddress.parse(f"npy://{folder}?fps={FPS}")
    assert (address.kind, address.name) == (SourceKind.PLUG_IN, f"npy://{folder}?fps={FPS}")
    with connect(address, SourceSettings()) as reader:
        info = reader.info
        frames = list(reader.sampled_frames(3.0, start_seconds=start_seconds))
    assert (info.width, info.height, info.num_frames, info.duration_seconds, info.codec) == (8, 6, 10, 2.5, "npy")
    instants = [index / 3 for index in range(8) if index / 3 >= start_seconds]  # 2.5 s at 3 fps
    assert [frame.pts_seconds for frame in frames] == pytest.approx(instants)
    assert [set(frame.image.ravel().tolist()) for frame in frames] == [{int(one * FPS)} for one in instants]


@pytest.mark.usefixtures("plug_ins")
def test_an_object_and_its_address_are_one_stream_which_grows(tmp_path: Path, fake_model: FakeModel) -> None:
    from keepsight_example_source import ArrayFolder

    folder, journal = write_arrays(tmp_path / "frames", range(16)), tmp_path / "a.db"
    source = ArrayFolder(str(folder), fps=FPS)
    moments, said = watch(journal, source, fake_model)
    assert ([round(moment.span.end_seconds, 3) for moment in moments], said) == ([2.0, 4.0], [])
    assert watch(journal, f"npy://{folder}?fps={FPS}", fake_model)[0] == []
    write_arrays(folder, range(16, 24))
    moments, said = watch(journal, source, fake_model)
    assert ([round(moment.span.start_seconds, 3) for moment in moments], len(said)) == ([2.0, 4.0], 1)  # the last again
    assert "has grown" in said[0]
    (folder / "0000.npy").unlink()
    moments, said = watch(journal, source, fake_model)
    assert moments[0].span.start_seconds == 0.0
    assert "was replaced" in said[0]
    with Journal.open(journal) as opened:
        assert [stream.source for stream in opened.streams.all()] == [source.name, source.name]


@pytest.mark.usefixtures("plug_ins")
def test_one_that_was_left_is_resumed_by_what_the_journal_has(tmp_path: Path, fake_model: FakeModel) -> None:
    folder = write_arrays(tmp_path / "frames", range(24))
    whole, _ = watch(tmp_path / "whole.db", f"npy://{folder}?fps={FPS}", fake_model)
    with Watcher(fake_model, tmp_path / "parts.db", QUICK) as watcher:
        events = watcher.watch(f"npy://{folder}?fps={FPS}")
        parts = [next(events)]
        events.close()
        assert watcher.stream is not None
        parts += list(watcher.resume(watcher.stream))
    assert [(one.span, one.caption) for one in parts] == [(one.span, one.caption) for one in whole]


@pytest.mark.usefixtures("plug_ins")
def test_pictures_that_end_before_the_source_says_are_no_complete_stream(tmp_path: Path, fake_model: FakeModel) -> None:
    with pytest.raises(IncompleteVideoError, match=r"pattern://60 was not watched to its end"):
        watch(tmp_path / "a.db", "pattern://60", fake_model)


@pytest.mark.usefixtures("plug_ins")
def test_a_live_one_is_lost_and_found_again(tmp_path: Path, fake_model: FakeModel) -> None:
    from pattern_source import Pattern  # type: ignore[import-not-found]

    states: list[StateChange] = []
    with Watcher(fake_model, tmp_path / "a.db", QUICK) as watcher:
        for event in watcher.events(Pattern(is_live=True)):
            if isinstance(event, StateChange):
                states.append(event)
                if event.state is SourceState.OFFLINE:
                    watcher.stop()
        assert watcher.stream is not None
        assert watcher.stream.is_live
    assert SourceState.STREAMING in [one.state for one in states]
    (offline,) = [one for one in states if one.state is SourceState.OFFLINE]
    assert "the test pattern is gone" in offline.reason


@pytest.mark.usefixtures("plug_ins")
def test_a_server_checks_the_path_under_its_roots(tmp_path: Path) -> None:
    inside = SourceAddress.parse(f"npy://{tmp_path}/roots/frames")
    check_is_under(inside, [tmp_path / "roots"])
    for text in (f"npy://{tmp_path}/other", f"npy://{tmp_path}/roots/../other"):
        with pytest.raises(AddressRefusedError, match="outside the folders"):
            check_is_under(SourceAddress.parse(text), [tmp_path / "roots"], allow_private=True)
    with pytest.raises(AddressRefusedError, match=r"pattern://4 names no path .* --allow-private"):
        connect(SourceAddress.parse("pattern://4"), SourceSettings(roots=(tmp_path,)))
    check_is_under(SourceAddress.parse("pattern://4"), [tmp_path], allow_private=True)


@dataclass(frozen=True)
class Named:
    """A source of this test module, which other processes cannot import."""

    name: str = "test://x"

    def open(self) -> ArrayReader:
        return ArrayReader(iter([(0.0, np.zeros((2, 2, 3), np.uint8))]))


@pytest.mark.usefixtures("plug_ins")
def test_what_is_no_source_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"rtsps://, npy://, pattern://, got patern://4; did you mean pattern://\?"):
        SourceAddress.parse("patern://4")
    with pytest.raises(SettingError) as caught:
        SourceAddress.parse("pattern://me:hunter2@many")
    assert str(caught.value) == (
        "pattern://many is not an address of the source kind pattern (pattern-source 1.2): "
        "could not convert string to float: '***@many'"
    )
    for name in ("/data/video.mp4", "http://camera/", "", "npy://two\nlines"):
        with pytest.raises(SettingError, match="name of a source must be an address"):
            SourceAddress.of(Named(name))
    with pytest.raises(SettingError, match="source must be"):
        SourceAddress.of(object())  # type: ignore[arg-type]

    @dataclass(frozen=True)
    class Local(Named):
        pass

    for kind in (Local, type("Shown", (Named,), {"__module__": "__main__"})):
        with pytest.raises(SettingError, match=r"must be in a module.*Watcher.watch_frames"):
            SourceAddress.of(kind())
    with pytest.raises(SourceNotFoundError, match=r"no \.npy files"):
        connect(SourceAddress.parse(f"npy://{tmp_path}"), SourceSettings())


@pytest.mark.usefixtures("plug_ins")
def test_an_error_while_it_is_opened_names_it() -> None:
    with pytest.raises(VideoError) as caught:
        connect(SourceAddress.parse("pattern://-1"), SourceSettings())
    assert str(caught.value) == "pattern://-1: the source has no pictures"


FAILING = """
from dataclasses import dataclass
from keepsight.errors import VideoError
from keepsight.sources.reader import ArrayReader

@dataclass(frozen=True)
class Failing:
    how: str = "ValueError"
    password: str = ""

    @classmethod
    def from_address(cls, text):
        how, _, password = text.partition("://")[2].partition("?pw=")
        if how == "KeyError":
            raise KeyError(text)
        if how == "ValueError":
            raise ValueError(f"seed must be a number in {text}")
        return None if how == "None" else cls(how, password)

    @property
    def name(self):
        return f"failing://{self.how}"

    def items(self):
        if self.how == "items":
            raise IndexError("no such part")
        return [("a", "1")]

    def open(self):
        kind = VideoError if self.how == "VideoError" else ArithmeticError
        raise kind(f"two\\nlines of {self.password} at rtsp://me:{self.password}@camera/ and me:other@camera")
"""


@pytest.fixture
def failing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plug_ins: Path) -> None:
    """A package with a source that fails as its address says."""
    monkeypatch.delitem(sys.modules, "failing_source", raising=False)
    install(plug_ins, "failing-source", "failing_source", FAILING, sources="failing = failing_source:Failing")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])  # packages are listed once per path


@pytest.mark.usefixtures("failing")
@pytest.mark.parametrize(
    ("address", "kind", "says"),
    [
        (
            "failing://ValueError?pw=hunter2",
            SettingError,
            "failing://ValueError?pw=*** is not an address of the source kind failing (failing-source 1.2): "
            "seed must be a number in failing://ValueError?pw=***",
        ),
        (
            "failing://KeyError",
            PlugInError,
            "source 'failing' of failing-source 1.2 failed in from_address: KeyError: 'failing://KeyError'; "
            "use another one, or report it to the author of the package",
        ),
    ],
)
def test_an_address_that_is_refused_says_why_and_by_which_package(address: str, kind: type, says: str) -> None:
    with pytest.raises(kind) as caught:
        SourceAddress.parse(address)
    assert str(caught.value) == says


@pytest.mark.usefixtures("failing")
def test_what_from_address_makes_must_be_a_source() -> None:
    with pytest.raises(PlugInError) as caught:
        SourceAddress.parse("failing://None")
    assert str(caught.value).startswith("source 'failing' of failing-source 1.2 failed in from_address: source must be")
    assert "a frozen dataclass with open, got None" in str(caught.value)


@pytest.mark.usefixtures("failing")
def test_a_fault_while_it_is_opened_is_said_with_its_text_and_no_password() -> None:
    text = "two\\nlines of *** at rtsp://camera/ and ***@camera"
    with pytest.raises(DecoderDiedError) as caught:
        connect(SourceAddress.parse("failing://x?pw=hunter2"), SourceSettings())
    line = FAILING.splitlines().index(next(one for one in FAILING.splitlines() if "raise kind" in one)) + 1
    where = f"(failing_source.py, line {line})"
    assert str(caught.value) == f"failing://x: decoding failed in failing-source 1.2: ArithmeticError: {text} {where}"
    with pytest.raises(VideoError) as caught_error:
        connect(SourceAddress.parse("failing://VideoError?pw=hunter2"), SourceSettings())
    assert str(caught_error.value) == f"failing://VideoError: {text}"


@pytest.mark.usefixtures("failing")
def test_a_fault_of_its_parts_list_names_the_package(tmp_path: Path, fake_model: FakeModel) -> None:
    source = SourceAddress.parse("failing://items").part
    assert source is not None
    listed = lister_of(source)
    assert listed is not None
    with pytest.raises(
        PlugInError, match=r"^source 'failing' of failing-source 1\.2 failed in items: IndexError: no such"
    ):
        listed()


def test_a_class_that_the_decoding_process_lacks_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(VideoError, match=r"could not make tests.sources.test_plug_in_sources:Named: No module named"):
        connect(SourceAddress.of(Named()), SourceSettings())


@pytest.mark.parametrize(
    ("pictures", "said"),
    [
        ([], "no pictures"),
        ([(0.0, np.zeros((2, 2), np.uint8))], "must be uint8"),
        ([(0.0, np.zeros((2, 2, 3), np.float32))], "must be uint8"),
        ([(1.0, np.zeros((2, 2, 3), np.uint8)), (0.5, np.zeros((2, 2, 3), np.uint8))], "must not run back"),
    ],
)
def test_arrays_that_are_no_series_of_pictures_are_refused(pictures: list[Any], said: str) -> None:
    with pytest.raises(VideoError, match=said):
        list(ArrayReader(pictures).sampled_frames(1.0))


def test_pictures_are_read_once_and_let_go_of() -> None:
    ended = []

    def endless() -> Iterator[tuple[float, np.ndarray]]:
        try:
            while True:
                yield 0.0, np.zeros((2, 2, 3), np.uint8)
        finally:
            ended.append(True)

    reader = ArrayReader(endless())
    reader.sampled_frames(1.0)
    with pytest.raises(VideoError, match="read once"):
        reader.sampled_frames(1.0)
    reader.close()
    reader.close()
    assert ended == [True]


@pytest.mark.parametrize(("fps", "instants"), [(None, [5, 6, 7, 8, 9, 10]), (0.25, [5, 6, 7, 8, 9, 10, 11, 12])])
def test_the_last_picture_stays_as_long_as_pictures_do(fps: float | None, instants: list[int]) -> None:
    blank = np.zeros((2, 2, 3), np.uint8)
    frames = ArrayReader([(5.0, blank), (7.0, blank), (9.0, blank)], average_fps=fps).sampled_frames(1.0)
    assert [frame.pts_seconds for frame in frames] == instants
