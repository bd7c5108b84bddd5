"""What needs no model is found before one is loaded, and leaves no file behind."""

import shutil
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from keepsight.cli.preparing import journal_path
from keepsight.journal import Journal
from keepsight.sources.address import SourceAddress
from tests.cli.ended import Keepsight, MakeVideo

TOKEN = ("--token", "a-token-for-tests-only")
WATCH = ("--model", "fake", "--sample-fps", 2)


@pytest.fixture
def no_model(keepsight: Keepsight, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever loads a model fails."""

    def load(name: str, **_: object) -> None:
        raise AssertionError(f"the model {name} was loaded")

    monkeypatch.setattr("keepsight.models.loading.load_model", load)


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/gone.mp4":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Type", "video/mp4")
        self.end_headers()
        self.wfile.write(b"\n<!-- a player --><!DOCTYPE html><html><body>Kitchen, 12 minutes</body></html>" * 50)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def pages() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("watch", "PAGES/watch?v=kitchen", "--allow-private"), "is a web page, not a video"),
        (("watch", "PAGES/watch?v=kitchen", "VIDEO", "--allow-private"), "is a web page, not a video"),
        (("watch", "PAGES/gone.mp4", "--allow-private"), "404"),
        (("watch", "PAGES/kitchen.mp4"), "--allow-private"),
        (("watch", "http://127.0.0.1:1/kitchen.mp4", "--allow-private"), "127.0.0.1"),
        (("watch", "rtsp://127.0.0.1/main"), "--allow-private"),
        (("watch", "rtsp://me:hunter2@127.0.0.1/main", "VIDEO"), "--allow-private"),
        (("watch", "/dev/video77"), "no such camera: /dev/video77"),
        (("watch", "/dev/null"), "/dev/null"),
        (("watch", "videos"), "must be a folder of images, got videos (a.mp4, b.MKV)"),
        (("watch", "nothing.mp4", "VIDEO"), "no such file: nothing.mp4"),
        (("watch", "VIDEO", "--journal", "no/folder.db"), "cannot create the journal no/folder.db: create the folder"),
        (("watch", "VIDEO", "--journal", "videos"), "the path must be a file, got the folder videos"),
        (("watch", "VIDEO", "--journal", "/proc/a.db"), "/proc/a.db"),
        (("watch", "VIDEO", "--ask", "\udcff"), "must be valid UTF-8"),
        (("ask", "a.db", "\udcff"), "the question must be valid UTF-8"),
        (("ask", "a.db", ""), "the question must have at least one visible character, got an empty text"),
        (("ask", "a.db", " \t"), "the question must have at least one visible character, got only white space"),
        (
            ("ask", "a.db", "\u200b"),
            "the question must have at least one visible character, got only invisible characters, such as '\\u200b'",
        ),
        (("ask", "watched.db", "What?", "--at", "never"), "never"),
        (("ask", "watched.db", "What?", "--at", "99:99:99"), "99:99:99"),
        (("ask", "watched.db", "What?", "--source", "garden"), "no stream matches 'garden'"),
        (("ask", "nothing.db", "What?"), "no journal at"),
        (("mcp", "nothing.db"), "no journal at"),
        (("watch", "VIDEO", "--journal", "gone.db"), "gone.db-wal belongs to a journal that was moved"),
        (("serve", "--journal", "gone.db"), "gone.db-wal belongs to a journal that was moved"),
        (("serve", "--journal", "no/folder.db"), "cannot create the journal no/folder.db: create the folder"),
        (("serve", "--journal", "videos"), "the path must be a file, got the folder videos"),
        (("serve", "--journal", "videos/a.mp4"), "not a Keepsight journal"),
        (("serve", "--port", "99999"), "port"),
        (
            ("serve", "--host", "nonsense"),
            "--host must be loopback, such as 127.0.0.1, unless there is a token, got 'nonsense'",
        ),
        (
            ("serve", "--host", "a..b", *TOKEN),
            "--host must be an address of this machine, got 'a..b': listen on 127.0.0.1",
        ),
        (
            ("serve", "--host", "192.0.2.1", *TOKEN),
            "--host must be an address of this machine, got '192.0.2.1': listen on",
        ),
        (("watch", "noise://0"), "got noise://0; begin with one of these, or install a package that reads noise://"),
        (
            ("watch", "VIDEO", "--score-layers", "0"),
            '--score-layers must be whole numbers of at least 1, "all" or none, got [0]',
        ),
    ],
    ids=str,
)
@pytest.mark.usefixtures("no_model")
def test_it_is_said_before_a_model_is_loaded(
    keepsight: Keepsight, make_video: MakeVideo, pages: str, words: tuple[str, ...], says: str
) -> None:
    Path("videos").mkdir()
    for name in ("a.mp4", "b.MKV"):
        Path("videos", name).write_bytes(b"not one, but called so" * 30)
    with Journal.create("watched.db") as journal:
        journal.streams.begin("/videos/hall.mp4", "fake", "{}")
    Path("gone.db-wal").write_bytes(b"of a journal that was moved")
    before = sorted(Path().rglob("*"))
    video = str(make_video(seconds=8))
    ended = keepsight(*(word.replace("PAGES", pages).replace("VIDEO", video) for word in words))
    assert ended.code == 2
    assert says in ended.complaint
    assert "hunter2" not in ended.err
    assert not ended.out
    assert sorted(Path().rglob("*")) == before


@pytest.mark.parametrize("form", ["--json", "--no-json"])
def test_nothing_new_is_said_without_a_model(
    keepsight: Keepsight, make_video: MakeVideo, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    shutil.copy(make_video(seconds=8), "a.mp4")
    assert keepsight("watch", "a.mp4", *WATCH).code == 0
    num_loaded = []
    from keepsight.models import loading

    load = loading.load_model

    def load_and_count(*words: Any, **more: Any) -> object:
        num_loaded.append(1)
        return load(*words, **more)

    monkeypatch.setattr(loading, "load_model", load_and_count)
    ended = keepsight("watch", "a.mp4", *WATCH, form)
    assert (ended.code, len(num_loaded)) == (0, 0)
    if form == "--json":
        assert [event["event"] for event in ended.events] == ["start", "summary"]
        assert ended.of("summary")[0]["num_clips"] == 0
    else:
        assert ended.out == "nothing new to watch; journal a.db\n"
    for more in (("--restart",), ("--ask", "What?"), ("--retention", "0.5")):
        assert keepsight("watch", "a.mp4", *WATCH, *more).code == 0
    assert len(num_loaded) == 3
    shutil.copy(make_video(seconds=10), "a.mp4")
    assert len(keepsight("watch", "a.mp4", *WATCH, "--json").of("clip")) == 2
    assert len(num_loaded) == 4


@pytest.mark.parametrize("sources", [("cut.mp4",), ("cut.mp4", "VIDEO")], ids=["one", "two"])
def test_a_failure_before_the_first_clip_leaves_no_empty_journal(
    keepsight: Keepsight, make_video: MakeVideo, monkeypatch: pytest.MonkeyPatch, sources: tuple[str, ...]
) -> None:
    """A model that fails at once stands for all that can go wrong then."""
    from keepsight.errors import ModelError

    def fail(*_: object, **__: object) -> None:
        raise ModelError("the model failed")

    shutil.copy(make_video(seconds=8), "cut.mp4")
    monkeypatch.setattr("tests.fake_model.FakeModel.encode", fail)
    ended = keepsight("watch", *(one.replace("VIDEO", str(make_video(seconds=10))) for one in sources), *WATCH)
    assert ended.code == 2
    assert "the model failed" in ended.err
    assert [path.name for path in Path().iterdir()] == ["cut.mp4"]


def test_a_failure_does_not_say_that_there_is_nothing_new(
    keepsight: Keepsight, make_video: MakeVideo, monkeypatch: pytest.MonkeyPatch
) -> None:
    from keepsight.errors import ModelError

    def fail(*_: object, **__: object) -> None:
        raise ModelError("the model failed")

    monkeypatch.setattr("tests.fake_model.FakeModel.encode", fail)
    ended = keepsight("watch", make_video(seconds=8), *WATCH, "--no-json")
    assert (ended.code, ended.complaint) == (2, "the model failed")
    assert "nothing new" not in ended.out


@pytest.mark.parametrize(
    ("sources", "name"),
    [
        (("kitchen.mp4",), "kitchen.db"),
        (("/videos/my kitchen.v2.mp4",), "my-kitchen.v2.db"),
        (("rtsp://a/main",), "a-main.db"),
        (("rtsp://b.example:8554/main",), "b.example-8554-main.db"),
        (("rtsp://me:hunter2@nvr/cam1/main",), "nvr-cam1-main.db"),
        (("rtsp://nvr/cam2/main",), "nvr-cam2-main.db"),
        (("https://example.com/a/kitchen.mp4",), "example.com-a-kitchen.db"),
        (("https://example.com/",), "example.com.db"),
        (("rtsp://[fe80::1]/main",), "fe80-1-main.db"),
        (("-",), "stdin.db"),
        (("unix:/run/frames",), "frames.db"),
        (("rtsp://a/main", "rtsp://b/main"), "keepsight.db"),
    ],
)
def test_the_journal_of_a_source_is_called_after_it(sources: tuple[str, ...], name: str) -> None:
    assert str(journal_path([SourceAddress.parse(source) for source in sources])) == name


def test_addresses_that_differ_have_journals_of_their_own_without_secrets() -> None:
    addresses = [
        f"rtsp://me:hunter2@{host}/cam/realmonitor?channel={channel}&password=hunter2&subtype={kind}"
        for host in ("10.0.0.1", "10.0.0.2")
        for channel in (1, 2)
        for kind in (0, 1)
    ] + [f"https://example.com/{'x' * 300}/{n}.mp4" for n in range(3)]
    names = [str(journal_path([SourceAddress.parse(one)])) for one in addresses]
    assert len(set(names)) == len(addresses)
    for name in names:
        assert "hunter2" not in name
        assert len(name) < 120
        assert "/" not in name


def test_a_journal_that_an_earlier_version_named_is_found_if_it_has_the_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with Journal.create("main.db") as journal:
        journal.streams.begin("rtsp://a/main", "tiny", "{}", is_live=True)
    assert str(journal_path([SourceAddress.parse("rtsp://me:hunter2@a/main")])) == "main.db"
    assert str(journal_path([SourceAddress.parse("rtsp://b/main")])) == "b-main.db"
    Journal.create("a-main.db").close()
    assert str(journal_path([SourceAddress.parse("rtsp://a/main")])) == "a-main.db"


def ignored(name: str, meant: str) -> str:
    return f"keepsight: the variable {name} is ignored; did you mean {meant}?"


@pytest.mark.parametrize("command", ["watch", "serve"])
@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("KEEPSIGHT_MAX_GIGABYTE", "KEEPSIGHT_MAX_GIGABYTES"),
        ("KEEPSIGHT_MAX_STREM", "KEEPSIGHT_MAX_STREAMS"),
        ("KEEPSIGHT_SAMPEL_FPS", "KEEPSIGHT_SAMPLE_FPS"),
        ("keepsight_sampel_fps", "KEEPSIGHT_SAMPLE_FPS"),
        ("KEEPSIGHT_ROOT", "KEEPSIGHT_ROOTS"),
        ("KEEPSIGHT_SCOPED_TOKEN", "KEEPSIGHT_TOKENS"),
        ("KEEPSIGHT_SOURCE_PASWORD", "KEEPSIGHT_SOURCE_PASSWORD"),
    ],
)
def test_a_misspelled_variable_is_said_and_ignored(
    keepsight: Keepsight, monkeypatch: pytest.MonkeyPatch, command: str, name: str, meant: str
) -> None:
    monkeypatch.setenv(name, "hunter2")
    ended = keepsight(command, "--print-settings")
    assert ended.code == 0
    assert ended.err.splitlines() == [ignored(name, meant)]
    assert "hunter2" not in ended.out


@pytest.mark.parametrize("words", [("ask", "gone.db", "What?"), ("mcp", "gone.db")], ids=" ".join)
def test_a_command_whose_settings_are_the_journals_says_so_of_a_misspelled_variable(
    keepsight: Keepsight, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setenv("KEEPSIGHT_RETENTON", "0.2")
    monkeypatch.setenv("KEEPSIGHT_MAX_STREAMS", "7")
    said, _ = keepsight(*words).err.splitlines()
    assert said == (
        "keepsight: the variable KEEPSIGHT_RETENTON is ignored; "
        "did you mean KEEPSIGHT_RETENTION, which watch and serve read?"
    )


QUIET = [
    *(f"KEEPSIGHT_REQUIRE_{name}" for name in ("CADDY", "CHROMIUM", "FFMPEG", "NGINX", "RTSP", "SYSTEMD")),
    *("KEEPSIGHT_RVS_EGO", "KEEPSIGHT_RVS_MOVIE", "KEEPSIGHT_SOURCE_USER", "KEEPSIGHT_SOURCE_PASSWORD"),
    *("KEEPSIGHT_SERVICE_HOST", "KEEPSIGHT_SERVICE_PORT", "KEEPSIGHT_SERVICE_PORT_HTTP"),
    *(f"KEEPSIGHT_PORT_8765_TCP{end}" for end in ("", "_ADDR", "_PORT", "_PROTO")),
    *("KEEPSIGHT_VERSION", "KEEPSIGHT_", "KEEPSIGHTS_PORT"),
]
"""Our own that are no settings, and what Kubernetes sets for a service of that name."""


@pytest.mark.parametrize("command", ["watch", "serve"])
def test_other_variables_are_ignored_in_silence(
    keepsight: Keepsight, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    for name in QUIET:
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("KEEPSIGHT_MAX_STREAMS", "7")  # of `serve` alone, whose environment `watch` may share
    ended = keepsight(command, "--print-settings")
    assert (ended.code, ended.err) == (0, "")


def test_a_taken_port_is_said_before_a_model_is_loaded(keepsight: Keepsight, no_model: None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = keepsight("serve", "--port", port)
    assert (ended.code, ended.complaint) == (
        2,
        f"cannot listen on 127.0.0.1 port {port}: Address already in use; choose another port",
    )
