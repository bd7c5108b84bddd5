"""Settings by flag, environment and file: who wins, what is said of nonsense, and what is shown of them."""

import os
import subprocess
import sys
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from keepsight.cli.serving import _watching_and_quota
from keepsight.errors import SettingError
from keepsight.journal import Quota
from keepsight.server.settings import ServerSettings
from keepsight.server.settings_shown import as_toml
from keepsight.server.settings_sources import WorkSettings, settle

TOKEN = "a-token-for-tests-only"
SERVE = [sys.executable, "-c", "from keepsight.cli import main; main()", "serve"]


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("KEEPSIGHT_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keepsight.toml"


def test_defaults_are_those_of_the_dataclasses() -> None:
    settled = settle({"port": None})
    assert settled.server == ServerSettings(Path("keepsight.db"), (Path(),))
    assert settled.work == WorkSettings()
    assert settled.origins == {}


@pytest.mark.parametrize(
    ("in_flags", "in_environment", "in_file", "expected", "origin"),
    [
        (None, None, None, 8765, None),
        (None, None, 1111, 1111, "keepsight.toml"),
        (None, "2222", 1111, 2222, "KEEPSIGHT_PORT"),
        (3333, "2222", 1111, 3333, "the command line"),
        (3333, None, 1111, 3333, "the command line"),
        (0, "2222", None, 0, "the command line"),
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
    settled = settle({"port": in_flags}, file)
    assert settled.server.port == expected
    assert settled.origins.get("port", "").endswith(origin or "")
    assert ("port" in settled.origins) == (origin is not None)


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
    ],
)
def test_variables(monkeypatch: pytest.MonkeyPatch, name: str, value: str, expected: object) -> None:
    monkeypatch.setenv(f"KEEPSIGHT_{name}", value)
    assert getattr(settle({}).server, name.lower(), None) == expected


def test_a_flag_takes_back_what_a_file_allows(file: Path) -> None:
    file.write_text('allow_private = true\nroots = ["/a", "/b"]\n')
    assert settle({}, file).server.allow_private
    settled = settle({"allow_private": False, "roots": [Path("/c")]}, file)
    assert (settled.server.allow_private, settled.server.roots) == (False, (Path("/c"),))


NONSENSE: list[tuple[str, list[str]]] = [
    ("port = 70000", ["port is 70000", "0 to 65535", "port is from FILE"]),
    ('port = "soon"', ["port (FILE)", "valid integer"]),
    ("port = 1.5", ["port (FILE)", "integer"]),
    ("port = true", ["port (FILE)", "true and false"]),
    ("max_streams = 0", ["max_streams is 0", "1 and more", "FILE"]),
    ("max_streams = []", ["max_streams (FILE)", "integer"]),
    ("body_seconds = nan", ["body_seconds (FILE)", "finite"]),
    ("body_seconds = -1", ["body_seconds", "above 0", "FILE"]),
    ('allow_private = "perhaps"', ["allow_private (FILE)", "boolean"]),
    ("roots = []", ["roots", "at least one", "FILE"]),
    ("roots = [1]", ["roots.0 (FILE)", "path"]),
    ("roots = { a = 1 }", ["roots", "(FILE)", "tuple"]),
    ("sample_fps = 0", ["sample_fps", "FILE"]),
    ("max_gigabytes = -1", ["max-gigabytes", "above 0", "FILE"]),
    ("max_stream_gigabytes = 0", ["max-stream-gigabytes", "above 0", "max_stream_gigabytes is from FILE"]),
    ("max_stream_gigabytes = -1", ["max-stream-gigabytes", "above 0", "FILE"]),
    ("max_stream_gigabytes = nan", ["max_stream_gigabytes (FILE)", "finite"]),
    ('max_stream_gigabytes = "much"', ["max_stream_gigabytes (FILE)", "valid number"]),
    ("max_file_hours = 0", ["max_file_hours is 0", "more than 0", "max_file_hours is from FILE"]),
    ("max_file_hours = nan", ["max_file_hours (FILE)", "finite"]),
    ('max_file_hours = "long"', ["max_file_hours (FILE)", "valid number"]),
    ('log_format = "xml"', ["log_format (FILE)", "'text' or 'json'"]),
    ('token = "short-secret"', ["16 or more", "token is from FILE"]),
    ("token = 12345678901234567890", ["token (FILE)", "string"]),
    ('host = "0.0.0.0"', ["0.0.0.0", "token"]),
    ("prot = 1", ["FILE", "no setting 'prot'", "port"]),
    ('"a\\nb" = 1', ["FILE", "no setting"]),
    ("port = ", ["FILE is no TOML", "end of document"]),
    ("a = " + "[" * 5000, ["FILE is no TOML"]),
]


def said_of(file: Path, **flags: Any) -> str:
    with pytest.raises(SettingError) as caught:
        _watching_and_quota(settle(flags, file))
    return str(caught.value)


@pytest.mark.parametrize(("text", "expected"), NONSENSE)
def test_nonsense_in_a_file_is_said_in_a_line(file: Path, text: str, expected: list[str]) -> None:
    file.write_text(text)
    message = said_of(file)
    assert "\n" not in message
    assert "short-secret" not in message
    assert "12345678901234567890" not in message
    for part in expected:
        assert part.replace("FILE", str(file)) in message


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("KEEPSIGHT_PORT", "", "port (KEEPSIGHT_PORT)"),
        ("KEEPSIGHT_PORT", "tcp://10.0.0.1:80", "port (KEEPSIGHT_PORT)"),
        ("KEEPSIGHT_TOKEN", "", "token is from KEEPSIGHT_TOKEN"),
        ("KEEPSIGHT_ROOTS", '[["a"]]', "roots.0 (KEEPSIGHT_ROOTS)"),
        ("KEEPSIGHT_MAX_STREAMS", "-3", "max_streams is from KEEPSIGHT_MAX_STREAMS"),
        ("KEEPSIGHT_MAX_FILE_HOURS", "-1", "max_file_hours is from KEEPSIGHT_MAX_FILE_HOURS"),
        ("KEEPSIGHT_MAX_STREAM_GIGABYTES", "0", "max_stream_gigabytes is from KEEPSIGHT_MAX_STREAM_GIGABYTES"),
        ("KEEPSIGHT_MAX_STREAM_GIGABYTES", "inf", "max_stream_gigabytes (KEEPSIGHT_MAX_STREAM_GIGABYTES)"),
    ],
)
def test_nonsense_in_the_environment(
    file: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, expected: str
) -> None:
    file.write_text("")
    monkeypatch.setenv(variable, value)
    assert expected in said_of(file)


@pytest.mark.parametrize(
    ("in_flags", "in_environment", "in_file", "num_bytes"),
    [
        (None, None, 0.5, 500_000_000),
        (None, "0.25", 0.5, 250_000_000),
        (1e-12, "0.25", 0.5, 1),
        (None, "1e300", None, int(1e300) * 10**9),
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
    _, quota = _watching_and_quota(settle({"max_stream_gigabytes": in_flags}, file))
    assert quota == Quota(max_stream_bytes=num_bytes, max_age_seconds=172_800)


def test_without_limits_there_is_no_quota() -> None:
    assert _watching_and_quota(settle({}))[1] is None


def test_a_file_that_is_not_there(file: Path, tmp_path: Path) -> None:
    assert f"{file} cannot be read" in said_of(file)
    assert "cannot be read" in said_of(tmp_path)
    file.write_bytes(b"\xff\xfe")
    assert "is no TOML" in said_of(file)


def test_settings_shown_are_a_file_that_gives_the_same(file: Path) -> None:
    odd = 'name with "quotes", \\ and\ttab.db'
    given = {
        "journal": Path(odd),
        "roots": [Path("/a"), Path("/b")],
        "sample_fps": 0.25,
        "allowed_hosts": ["x.example"],
    }
    settled = settle(given)
    file.write_text(as_toml(settled), encoding="utf-8")
    again = settle({}, file)
    assert (again.server, again.work) == (settled.server, settled.work)
    shown = tomllib.loads(file.read_text(encoding="utf-8"))
    assert set(shown) <= {one.name for part in (ServerSettings, WorkSettings) for one in fields(part)}
    assert shown["journal"] == odd


def test_the_command_shows_settings_and_no_token(file: Path, tmp_path: Path) -> None:
    file.write_text(f'port = 1111\nmax_days = 3\ntoken = "{TOKEN}"\n')
    environment = os.environ | {"KEEPSIGHT_MAX_VIEWERS": "7", "KEEPSIGHT_MAX_STREAM_GIGABYTES": "1.5"}
    words = [*SERVE, "--config", str(file), "--port", "2222", "--print-settings"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert TOKEN not in done.stdout
    assert "# token is set, and not shown" in done.stdout
    assert "port = 2222  # the command line" in done.stdout
    assert "max_viewers = 7  # KEEPSIGHT_MAX_VIEWERS" in done.stdout
    assert "max_stream_gigabytes = 1.5  # KEEPSIGHT_MAX_STREAM_GIGABYTES" in done.stdout
    assert f"max_days = 3.0  # {file}" in done.stdout
    assert tomllib.loads(done.stdout)["host"] == "127.0.0.1"
    assert not (tmp_path / "keepsight.db").exists()


def test_the_command_ends_with_2_at_nonsense(file: Path, tmp_path: Path) -> None:
    file.write_text("max_streams = 0\n")
    done = subprocess.run([*SERVE, "--config", str(file)], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert f"max_streams is from {file}" in line
