"""What docs/deploy has: the unit as systemd reads it, the container file's settings and its check of health."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from configparser import ConfigParser
from dataclasses import replace
from pathlib import Path

import pytest

from keepsight.cli.settings import SERVE
from keepsight.errors import SettingError
from keepsight.schema.sources import load_settings
from keepsight.server.settings import ServerSettings
from tests.server.served import ServedModel, serve

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "docs" / "deploy"
SERVING = ROOT / "docs" / "serving.md"
TOKEN = "a-token-for-tests-only"
KEEPSIGHT = [sys.executable, "-c", "from keepsight.cli import main; main()"]


@pytest.mark.parametrize(("language", "name"), [("nginx", "nginx.conf"), ("caddy", "Caddyfile")])
def test_the_document_shows_the_file_that_a_proxy_is_tested_with(language: str, name: str) -> None:
    shown = re.findall(rf"```{language}\n(.*?)```", SERVING.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert shown == [(DEPLOY / name).read_text(encoding="utf-8")]


@pytest.fixture(scope="module")
def analyze() -> str:
    found = shutil.which("systemd-analyze")
    if found is None and os.environ.get("KEEPSIGHT_REQUIRE_SYSTEMD") == "1":
        pytest.fail("KEEPSIGHT_REQUIRE_SYSTEMD is set, but there is no systemd-analyze")
    if found is None:
        pytest.skip("no systemd-analyze on this machine")
    return found


@pytest.fixture(scope="module")
def unit() -> str:
    return (DEPLOY / "keepsight.service").read_text(encoding="utf-8")


@pytest.fixture
def unit_file(unit: str, tmp_path: Path) -> Path:
    """The unit with a program that is there: systemd looks whether it is."""
    path = tmp_path / "keepsight.service"
    assert unit.count("/opt/keepsight/bin/keepsight") == 1
    path.write_text(unit.replace("/opt/keepsight/bin/keepsight", sys.executable), encoding="utf-8")
    return path


def test_systemd_finds_nothing_wrong_with_the_unit(analyze: str, unit_file: Path) -> None:
    def complaints() -> str:
        done = subprocess.run([analyze, "verify", str(unit_file)], capture_output=True, text=True)
        return done.stdout + done.stderr

    assert complaints() == ""
    unit_file.write_text(unit_file.read_text().replace("ProtectSystem=", "ProtectSytem="))
    assert "ProtectSytem" in complaints()


def test_what_is_left_open_is_little(analyze: str, unit_file: Path) -> None:
    """2.0 of 10 at most; systemd calls 4.9 and less OK."""
    command = [analyze, "security", "--offline=true", "--no-pager", "--threshold=20", str(unit_file)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Overall exposure level" in done.stdout + done.stderr


def test_the_unit_begins_a_server(unit: str, tmp_path: Path) -> None:
    parsed = ConfigParser(strict=False, interpolation=None)
    parsed.optionxform = str  # type: ignore[assignment,method-assign]
    parsed.read_string(unit)
    program, *words = shlex.split(parsed["Service"]["ExecStart"])
    assert (Path(program).name, words[:2]) == ("keepsight", ["serve", "--config"])
    config = tmp_path / "keepsight.toml"
    config.write_text("max_streams = 3")
    words[2] = str(config)
    done = subprocess.run([*KEEPSIGHT, *words, "--print-settings"], capture_output=True, text=True)
    shown = tomllib.loads(done.stdout)
    assert (shown["max_streams"], shown["log_format"], shown["log_level"]) == (3, "json", "info")
    missing = subprocess.run([*KEEPSIGHT, "serve", "--config", str(tmp_path / "none")], capture_output=True, text=True)
    assert str(missing.returncode) == parsed["Service"]["RestartPreventExitStatus"]


def instructions() -> Iterator[tuple[str, str]]:
    """Name and rest of each instruction of the container file."""
    text = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
    lines = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ").splitlines()
    return ((line.partition(" ")[0], line.partition(" ")[2].strip()) for line in lines if line)


def environment() -> dict[str, str]:
    texts = [rest for name, rest in instructions() if name == "ENV"]
    return dict(pair.split("=", 1) for text in texts for pair in shlex.split(text))


def health_check() -> list[str]:
    (rest,) = (rest for name, rest in instructions() if name == "HEALTHCHECK")
    words: list[str] = json.loads(rest.partition("CMD ")[2])
    return words


def test_the_container_file_takes_what_a_wheel_is_made_of() -> None:
    taken = [word for name, rest in instructions() if name == "COPY" and "--from" not in rest for word in rest.split()]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {"pyproject.toml", "src", project["readme"], *project["license-files"], "constraints.txt"} <= {*taken}
    assert [name for name in taken if not (ROOT / name).exists()] == []


def test_the_containers_settings_need_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KEEPSIGHT_TOKEN", raising=False)
    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingError, match="token"):
        load_settings(SERVE, {})
    monkeypatch.setenv("KEEPSIGHT_TOKEN", TOKEN)
    server = load_settings(SERVE, {}).make(ServerSettings)
    assert (server.host, server.roots) == ("0.0.0.0", (Path("/videos"), Path("/data")))


def test_the_container_begins_a_server_under_an_init(monkeypatch: pytest.MonkeyPatch) -> None:
    """As process 1 itself it would get no SIGTERM until it has a handler, which takes seconds."""
    monkeypatch.setenv("KEEPSIGHT_TOKEN", TOKEN)
    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    (rest,) = (rest for name, rest in instructions() if name == "ENTRYPOINT")
    init, end, program, *words = json.loads(rest)
    assert (init, end, program) == ("/usr/bin/tini", "--", "/opt/keepsight/bin/keepsight")
    assert any("install" in rest and "tini" in rest.split() for name, rest in instructions() if name == "RUN")
    done = subprocess.run([*KEEPSIGHT, *words, "--print-settings"], capture_output=True, text=True)
    shown = tomllib.loads(done.stdout)
    assert (shown["host"], shown["port"], shown["log_format"]) == ("0.0.0.0", 8765, "json"), done.stderr


def test_the_containers_check_of_health(server_settings: ServerSettings) -> None:
    program, *words = health_check()
    assert program == "/opt/keepsight/bin/python"

    def checked(port: int) -> int:
        # A proxy that the environment names is not asked.
        more = {"KEEPSIGHT_PORT": str(port), "http_proxy": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
        return subprocess.run([sys.executable, *words], env=os.environ | more, capture_output=True).returncode

    with serve(replace(server_settings, token=TOKEN), ServedModel()) as served:
        assert checked(served.client.port) == 0
    assert checked(served.client.port) != 0  # it has ended
