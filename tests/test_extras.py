"""The wheel with each extra alone: nothing else is needed; what is missing is said with the command that installs it.

An environment has the packages that pip would install, by what the wheel and they themselves say they require, and no
others. They are links to those of the environment that runs the tests, so nothing is downloaded.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tomllib
import urllib.request
import venv
from collections.abc import Callable
from functools import cache
from importlib.metadata import Distribution, distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from keepsight.extras import EXTRAS
from tests.patience import PROCESS_SECONDS

ROOT = Path(__file__).parents[1]


def test_every_extra_that_users_choose_is_in_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    assert {*EXTRAS, "all", "dev", "docs"} == {*extras}
    assert extras["all"] == [f"keepsight[{','.join(EXTRAS)}]"]
    assert "keepsight[all,docs]" in extras["dev"]


class Installed:
    """The wheel in an environment of its own, in an empty folder."""

    def __init__(self, python: Path, folder: Path) -> None:
        self.keepsight = python.parent / "keepsight"
        self.python = python
        self.folder = folder
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "KEEPSIGHT_", "COV_"))
        }

    def run(self, *words: object, code: int = 0) -> str:
        """What a command writes to stdout, or to stderr where it is to be refused."""
        done = subprocess.run(
            [self.keepsight, *map(str, words)],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PROCESS_SECONDS,
            check=False,
        )
        assert done.returncode == code, done.stderr
        return done.stderr if code else done.stdout

    def serve(self, *words: str) -> None:
        """Begin a server, ask it for its page and its description, and end it."""
        server = subprocess.Popen(
            [self.keepsight, "serve", "--port", "0", *words],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert server.stdout is not None
            line = server.stdout.readline()
            found = re.search(r"http://127\.0\.0\.1:\d+", line)
            assert found is not None, line or server.communicate(timeout=PROCESS_SECONDS)
            for path in ("/", "/v1/openapi.json", "/metrics"):
                with urllib.request.urlopen(f"{found[0]}{path}", timeout=PROCESS_SECONDS) as reply:
                    assert reply.status == 200
            server.send_signal(signal.SIGINT)
            _, err = server.communicate(timeout=PROCESS_SECONDS)
            assert (server.returncode, "all captions are in" in err) == (130, True), err
        finally:
            server.kill()
            server.wait()


@cache
def installed_here() -> dict[str, Distribution]:
    return {canonicalize_name(one.metadata["Name"]): one for one in distributions()}


def required(requirement: Requirement, found: dict[str, set[str]]) -> None:
    """Add what a requirement brings: names of distributions, each with the extras of it that were asked for."""
    name = canonicalize_name(requirement.name)
    if name in found and requirement.extras <= found[name]:
        return
    found.setdefault(name, set()).update(requirement.extras)
    for text in installed_here()[name].requires or ():
        inner = Requirement(text)
        wanted = [{"extra": extra} for extra in ("", *requirement.extras)]
        if inner.marker is None or any(inner.marker.evaluate(one) for one in wanted):
            required(inner, found)


def requirements(extra: str) -> set[str]:
    """Names of all distributions that the project with an extra brings, without itself."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    texts, extras = list(project["dependencies"]), project["optional-dependencies"]
    own = [*extras.get(extra, [])]
    for text in own:
        inner = Requirement(text)
        if inner.name == "keepsight":
            own += [one for name in inner.extras for one in extras[name]]
        else:
            texts.append(text)
    found: dict[str, set[str]] = {}
    for text in texts:
        required(Requirement(text), found)
    return set(found)


@cache
def owners() -> dict[str, set[str]]:
    """Which distributions have files in a folder, or a file, at the top of the packages."""
    found: dict[str, set[str]] = {}
    for name, one in installed_here().items():
        for file in one.files or ():
            found.setdefault(file.parts[0], set()).add(name)
    return found


def link(one: Distribution, site: Path) -> None:
    """Put a distribution into an environment: whole folders, or single files of one that several share."""
    for file in one.files or ():
        if file.parts[0] == "..":  # programs, which nothing here needs
            continue
        is_shared = len(owners()[file.parts[0]]) > 1
        relative = Path(*file.parts) if is_shared else Path(file.parts[0])
        target, source = site / relative, Path(str(one.locate_file(relative)))
        if not target.exists() and source.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(source.resolve())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    words = ["wheel", "--quiet", "--disable-pip-version-check", "--no-deps", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run([sys.executable, "-m", "pip", *words], check=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def install(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Installed]:
    """Makes an environment with an extra alone; an empty text is none."""

    @cache
    def make(extra: str) -> Installed:
        folder = tmp_path_factory.mktemp(extra or "none")
        venv.create(folder / "venv", with_pip=False)
        python = folder / "venv" / "bin" / "python"
        site = folder / "venv" / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
        for name in requirements(extra):
            link(installed_here()[name], site)
        words = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-index", str(wheel)]
        subprocess.run([sys.executable, "-m", "pip", "--python", str(python), "install", *words], check=True)
        (folder / "empty").mkdir()
        return Installed(python, folder / "empty")

    return make


Install = Callable[[str], Installed]


def watched(installed: Installed) -> Installed:
    if not (installed.folder / "toy.mp4").exists():
        installed.run("toyworld", "make", "toy.mp4", "--minutes", 1, "--seed", 3)
    return installed


@pytest.mark.slow
def test_without_extras(install: Install) -> None:
    installed = watched(install(""))
    events = installed.run("watch", "toy.mp4", "--ask", "Where is the yellow apple?")
    assert [json.loads(line)["event"] for line in events.splitlines()][-1] == "answer"
    assert json.loads(installed.run("ask", "toy.db", "Where is the yellow apple?"))["answer"]
    installed.run("report", "toy.db")
    installed.run("models")
    installed.run("backup", "toy.db", "copy.db")
    installed.run("pin", "toy.db", "0:00", "0:30")
    assert (installed.folder / "toy.html").stat().st_size > 100_000
    code = "import keepsight\nprint(*[getattr(keepsight, name) for name in keepsight.__all__])"
    subprocess.run([installed.python, "-c", code], env=installed.environment, check=True, capture_output=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "purpose", "module", "extra"),
    [
        (("serve",), "keepsight serve", "fastapi", "serve"),
        (("mcp", "toy.db"), "keepsight mcp", "fastapi", "serve"),
        (("bench", "run"), "keepsight bench run", "matplotlib", "bench"),
        (("watch", "toy.mp4", "--quantization", "int8"), "quantization", "torchao", "quantization"),
    ],
    ids=["serve", "mcp", "bench", "quantization"],
)
def test_what_is_missing_is_said_before_work_begins(
    install: Install, words: tuple[str, ...], purpose: str, module: str, extra: str
) -> None:
    installed = watched(install(""))
    if not (installed.folder / "toy.db").exists():
        installed.run("watch", "toy.mp4")
    before = sorted(installed.folder.iterdir())
    assert installed.run(*words, code=2) == f'keepsight: {purpose} needs {module}: pip install "keepsight[{extra}]"\n'
    assert sorted(installed.folder.iterdir()) == before


@pytest.mark.slow
def test_serve(install: Install) -> None:
    installed = install("serve")
    installed.serve()
    said = installed.run("serve", "--otlp-endpoint", "http://127.0.0.1:9", code=2)
    assert said == 'keepsight: otlp_endpoint needs opentelemetry: pip install "keepsight[opentelemetry]"\n'
    watched(installed).run("watch", "toy.mp4")
    asked = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    done = subprocess.run(
        [installed.keepsight, "mcp", "toy.db"],
        cwd=installed.folder,
        env=installed.environment,
        input=json.dumps(asked) + "\n",
        capture_output=True,
        text=True,
        timeout=PROCESS_SECONDS,
        check=False,
    )
    assert (done.returncode, json.loads(done.stdout.splitlines()[0])["id"]) == (0, 1), done.stderr


@pytest.mark.slow
def test_bench(install: Install) -> None:
    installed = install("bench")
    installed.run("bench", "list")
    words = ("--method", "captions", "--method", "last-frames:num_frames=8", "--videos", 1, "--minutes", 1)
    installed.run("bench", "run", "paper-toy", *words)
    assert (installed.folder / "bench" / "report.md").stat().st_size > 500
    code = (
        "import pathlib\n"
        "from keepsight.bench.output import figures\n"
        "with figures.drawing():\n"
        "    figure, _ = figures.new_axes('One', 'A plot.', [], 2.0)\n"
        "    figures.save(figure, pathlib.Path('one.png'))"
    )
    subprocess.run([installed.python, "-c", code], cwd=installed.folder, env=installed.environment, check=True)
    assert (installed.folder / "one.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_quantization(install: Install) -> None:
    installed = watched(install("quantization"))
    events = installed.run("watch", "toy.mp4", "--quantization", "int8")
    assert [json.loads(line)["event"] for line in events.splitlines()].count("clip") == 2


@pytest.mark.slow
def test_opentelemetry(install: Install) -> None:
    install("opentelemetry").serve("--otlp-endpoint", "http://127.0.0.1:9")
