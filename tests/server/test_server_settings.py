"""Settings by flag, environment and file: who wins, what is said of nonsense, and what is shown of them."""

import os
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from keepsight.cli.settings import SERVE, StorageSettings
from keepsight.errors import SettingError
from keepsight.journal import Quota
from keepsight.schema import specs_of
from keepsight.schema.printing import as_toml
from keepsight.schema.sources import LoadedSettings, load_settings
from keepsight.server.settings import ServerSettings

TOKEN = "a-token-for-tests-only"
SERVE_COMMAND = [sys.executable, "-c", "from keepsight.cli import main; main()", "serve"]


def load(flags: Mapping[str, object] | None = None, file: Path | None = None) -> LoadedSettings:
    return load_settings(SERVE, flags or {}, file)


def server(flags: Mapping[str, object] | None = None, file: Path | None = None) -> ServerSettings:
    return load(flags, file).make(ServerSettings)


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("KEEPSIGHT_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keepsight.toml"


def test_defaults_are_those_of_the_dataclasses() -> None:
    settled = load({"port": None})
    assert settled.make(ServerSettings) == ServerSettings(Path("keepsight.db"), (Path(),))
    for owner in SERVE[1:]:
        assert settled.make(owner) == owner()
    assert settled.origins == {}


@pytest.mark.parametrize(
    ("in_flags", "in_environment", "in_file", "expected", "origin"),
    [
        (None, None, None, 8765, None),
        (None, None, 1111, 1111, "keepsight.toml"),
        (None, "2222", 1111, 2222, "KEEPSIGHT_PORT"),
        (3333, "2222", 1111, 3333, "--port"),
        (3333, None, 1111, 3333, "--port"),
        (0, "2222", None, 0, "--port"),
    ],
)
def test_who_wins(
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    in_flags: int | None,
    in_environment: str | None,
    in_file: int | None,
    expected: int,
    origin: str | None,
) -> None:
    file.write_text("" if in_file is None else f"port = {in_file}\n")
    if in_environment is not None:
        monkeypatch.setenv("KEEPSIGHT_PORT", in_environment)
    settled = load({"port": in_flags}, file)
    assert settled.make(ServerSettings).port == expected
    assert ("port" in settled.origins) == (origin is not None)
    assert origin is None or settled.origins["port"].place.endswith(origin)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("ROOTS", "/videos", (Path("/videos"),)),
        ("ROOTS", '["/videos", "/more, of them"]', (Path("/videos"), Path("/more, of them"))),
        ("ALLOWED_HOSTS", "cameras.example", ("cameras.example",)),
        ("ALLOW_PRIVATE", "true", True),
        ("ALLOW_PRIVATE", "0", False),
        ("HEARTBEAT_SECONDS", "2.5", 2.5),
        ("NO_SETTING_OF_OURS", "x", None),
        ("CREDENTIALS", "none", Path("none")),
    ],
)
def test_variables(monkeypatch: pytest.MonkeyPatch, name: str, value: str, expected: object) -> None:
    monkeypatch.setenv(f"KEEPSIGHT_{name}", value)
    assert getattr(server(), name.lower(), None) == expected


def test_variables_in_small_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("keepsight_port", "1111")
    assert server().port == 1111
    monkeypatch.setenv("KEEPSIGHT_PORT", "2222")
    assert server().port == 2222


def test_a_flag_takes_back_what_a_file_allows(file: Path) -> None:
    file.write_text('allow_private = true\nroots = ["/a", "/b"]\n')
    assert server({}, file).allow_private
    settled = server({"allow_private": False, "roots": ["/c"]}, file)
    assert (settled.allow_private, settled.roots) == (False, (Path("/c"),))


def test_old_files_with_other_types_go_on_working(file: Path) -> None:
    file.write_text(
        'port = "1111"\nmax_streams = 3.0\nallow_private = 1\nallowed_hosts = "x.example"\nbody_seconds = 3\n'
    )
    settled = server({}, file)
    assert (settled.port, settled.max_streams, settled.allow_private) == (1111, 3, True)
    assert (settled.allowed_hosts, settled.body_seconds) == (("x.example",), 3.0)


NONSENSE: list[tuple[str, str]] = [
    ("port = 70000", "port in FILE must be a whole number from 0 to 65535, got 70000"),
    ('port = "soon"', "port in FILE must be a whole number from 0 to 65535, got 'soon'"),
    ("port = 1.5", "port in FILE must be a whole number from 0 to 65535, got 1.5"),
    ("port = true", "port in FILE must be a whole number from 0 to 65535, got True"),
    ("max_streams = 0", "max_streams in FILE must be a whole number of at least 1, got 0"),
    ("max_streams = []", "max_streams in FILE must be a whole number of at least 1, got []"),
    ("body_seconds = nan", "body_seconds in FILE must be a finite number over 0, got nan"),
    ("body_seconds = -1", "body_seconds in FILE must be a finite number over 0, got -1.0"),
    ('allow_private = "perhaps"', "allow_private in FILE must be true or false, got 'perhaps'"),
    ("allow_private = 2", "allow_private in FILE must be true or false, got 2"),
    ("roots = []", "roots in FILE must name at least one folder, got none"),
    ("roots = [1]", "roots in FILE must be a list, each of it a path, got [1]"),
    ("roots = { a = 1 }", "roots in FILE must be a list, each of it a path, got {'a': 1}"),
    ("sample_fps = 0", "sample_fps in FILE must be a number from 1e-06 to 1000, got 0.0"),
    ("max_gigabytes = -1", "max_gigabytes in FILE must be a number over 0 and at most 1000000, or none, got -1.0"),
    (
        "max_stream_gigabytes = 0",
        "max_stream_gigabytes in FILE must be a number over 0 and at most 1000000, or none, got 0.0",
    ),
    (
        "max_stream_gigabytes = nan",
        "max_stream_gigabytes in FILE must be a number over 0 and at most 1000000, or none, got nan",
    ),
    (
        'max_stream_gigabytes = "much"',
        "max_stream_gigabytes in FILE must be a number over 0 and at most 1000000, or none, got 'much'",
    ),
    ("max_file_hours = 0", "max_file_hours in FILE must be a finite number over 0, got 0.0"),
    ("max_file_hours = inf", "max_file_hours in FILE must be a finite number over 0, got inf"),
    ('log_format = "xml"', "log_format in FILE must be one of text, json, got 'xml'"),
    ('selector = "best"', "selector in FILE must be one of attention, uniform"),
    (
        'device = "cuda:x"',
        "device in FILE must be auto, cpu, cuda, cuda:NUMBER, mps, all or several such as cuda:0,cuda:1, or none, "
        "got 'cuda:x'",
    ),
    ('token = "short-secret"', "token in FILE must be 16 or more letters, digits and signs, without blanks"),
    ("token = 12345678901234567890", "token in FILE must be 16 or more letters, digits and signs, without blanks"),
    ('tokens = ["write:short-secret"]', "tokens in FILE must be SCOPE:TOKEN, the scope one of read, ask, manage"),
    ('otlp_endpoint = "http://me:short-secret@a"', "otlp_endpoint in FILE must be an address such as http://127.0.0.1"),
    ('host = "0.0.0.0"', "host in FILE must be loopback, such as 127.0.0.1, unless there is a token"),
    ("prot = 1", "FILE: the setting 'prot' is unknown; did you mean port?"),
    (
        "[method]\nretention = 0.1",
        "FILE: settings must be at the top level, got the table [method]; write them without tables",
    ),
    (
        "port = 1\n[[model]]\ndevice = 'cpu'",
        "FILE: settings must be at the top level, got the table [model]; write them without tables",
    ),
    (
        "model = { device = 'cpu' }",
        "FILE: settings must be at the top level, got the table [model]; write them without tables",
    ),
    ("colour = 1", "FILE: the setting 'colour' is unknown; known settings: allow_private, allowed_hosts, "),
    ("score_layers = [0]", 'score_layers in FILE must be whole numbers of at least 1, "all" or none, got [0]'),
    (
        "allowed_hosts = ['a', 1]",
        "allowed_hosts in FILE must be a list, each of it text that is not blank, got ['a', 1]",
    ),
    ('"a\\nb" = 1', "FILE: the setting 'a\\nb' is unknown; known settings: "),
    ("port = ", "FILE must be TOML: "),
    ("a = " + "[" * 5000, "FILE must be TOML: "),
]


def said_of(file: Path, **flags: Any) -> str:
    with pytest.raises(SettingError) as caught:
        load(flags, file)
    return str(caught.value)


@pytest.mark.parametrize(("text", "expected"), NONSENSE)
def test_nonsense_in_a_file_is_said_in_a_line(file: Path, text: str, expected: str) -> None:
    file.write_text(text)
    message = said_of(file)
    assert "\n" not in message
    assert "short-secret" not in message
    assert "12345678901234567890" not in message
    assert message.startswith(expected.replace("FILE", str(file)))


@pytest.mark.parametrize("line", ['journal = "a\\u0000.db"', 'roots = ["a\\u0000"]', 'model = "a\\u0000"'])
def test_no_setting_of_a_file_has_a_nul(file: Path, line: str) -> None:
    file.write_text(line)
    assert f"{line.split()[0]} in {file} must be text without NUL characters" in said_of(file)


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("KEEPSIGHT_PORT", "", "KEEPSIGHT_PORT must be a whole number"),
        ("KEEPSIGHT_PORT", "tcp://10.0.0.1:80", "KEEPSIGHT_PORT must be a whole number"),
        ("KEEPSIGHT_TOKEN", "", "KEEPSIGHT_TOKEN must be 16 or more"),
        ("KEEPSIGHT_TOKEN", "none", "KEEPSIGHT_TOKEN must be 16 or more"),
        ("KEEPSIGHT_ROOTS", '[["a"]]', "KEEPSIGHT_ROOTS must be a list, each of it a path"),
        ("KEEPSIGHT_MODEL", "a\udcff", "KEEPSIGHT_MODEL must be valid UTF-8"),
        ("KEEPSIGHT_ALLOWED_HOSTS", '["\\ud800"]', "KEEPSIGHT_ALLOWED_HOSTS must be valid UTF-8"),
        ("KEEPSIGHT_MAX_STREAMS", "-3", "KEEPSIGHT_MAX_STREAMS must be a whole number of at least 1, got -3"),
        ("KEEPSIGHT_MAX_FILE_HOURS", "-1", "KEEPSIGHT_MAX_FILE_HOURS must be a finite number over 0, got -1.0"),
        (
            "KEEPSIGHT_MAX_STREAM_GIGABYTES",
            "0",
            "KEEPSIGHT_MAX_STREAM_GIGABYTES must be a number over 0 and at most 1000000, or none",
        ),
        (
            "KEEPSIGHT_MAX_STREAM_GIGABYTES",
            "inf",
            "KEEPSIGHT_MAX_STREAM_GIGABYTES must be a number over 0 and at most 1000000, or none",
        ),
    ],
)
def test_nonsense_in_the_environment(
    file: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, expected: str
) -> None:
    file.write_text("")
    monkeypatch.setenv(variable, value)
    assert said_of(file).startswith(expected)


@pytest.mark.parametrize(
    ("in_flags", "in_environment", "in_file", "num_bytes"),
    [
        (None, None, 0.5, 500_000_000),
        (None, "0.25", 0.5, 250_000_000),
        (1e-12, "0.25", 0.5, 1),
        (None, "1e6", None, 10**15),
    ],
)
def test_the_quota_of_each_stream(
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    in_flags: float | None,
    in_environment: str | None,
    in_file: float | None,
    num_bytes: int,
) -> None:
    file.write_text("max_days = 2\n" + ("" if in_file is None else f"max_stream_gigabytes = {in_file}\n"))
    if in_environment is not None:
        monkeypatch.setenv("KEEPSIGHT_MAX_STREAM_GIGABYTES", in_environment)
    storage = load({"max_stream_gigabytes": in_flags}, file).make(StorageSettings)
    assert storage.to_quota() == Quota(max_stream_bytes=num_bytes, max_age_seconds=172_800)


def test_without_limits_there_is_no_quota() -> None:
    assert load().make(StorageSettings).to_quota() is None


def test_a_file_that_is_not_there(file: Path, tmp_path: Path) -> None:
    assert f"cannot read {file}" in said_of(file)
    assert "cannot read" in said_of(tmp_path)
    file.write_bytes(b"\xff\xfe")
    assert "must be TOML" in said_of(file)


def test_settings_shown_are_a_file_that_gives_the_same(file: Path) -> None:
    odd = 'name with "quotes", \\ and\ttab.db'
    given = {
        "journal": odd,
        "roots": ["/a", "/b"],
        "sample_fps": 0.25,
        "allowed_hosts": ["x.example"],
        "mmr_pool_budgets": "none",
        "score_layers": "3,5",
        "drop": "thin",
    }
    settled = load(given)
    file.write_text(as_toml(settled), encoding="utf-8")
    assert load({}, file).values == settled.values
    shown = tomllib.loads(file.read_text(encoding="utf-8"))
    assert set(shown) <= {spec.name for spec in specs_of(*SERVE)}
    assert (shown["journal"], shown["mmr_pool_budgets"], shown["score_layers"]) == (odd, "none", [3, 5])


def test_the_command_shows_settings_and_no_token(file: Path, tmp_path: Path) -> None:
    file.write_text(f'port = 1111\nmax_days = 3\ntoken = "{TOKEN}"\n')
    environment = os.environ | {"KEEPSIGHT_MAX_VIEWERS": "7", "KEEPSIGHT_MAX_STREAM_GIGABYTES": "1.5"}
    words = [*SERVE_COMMAND, "--config", str(file), "--port", "2222", "--print-settings"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert TOKEN not in done.stdout
    assert "# token is set, and not shown" in done.stdout
    assert "port = 2222  # --port" in done.stdout
    assert "max_viewers = 7  # KEEPSIGHT_MAX_VIEWERS" in done.stdout
    assert "max_stream_gigabytes = 1.5  # KEEPSIGHT_MAX_STREAM_GIGABYTES" in done.stdout
    assert f"max_days = 3.0  # {file}" in done.stdout
    assert "seed = 0  # default" in done.stdout
    assert tomllib.loads(done.stdout)["host"] == "127.0.0.1"
    assert not (tmp_path / "keepsight.db").exists()


def test_the_command_ends_with_2_at_nonsense(file: Path, tmp_path: Path) -> None:
    file.write_text("max_streams = 0\n")
    done = subprocess.run(
        [*SERVE_COMMAND, "--config", str(file)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert f"max_streams in {file} must be a whole number of at least 1, got 0" in line
