"""What the documents say exists."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from keepsight.cli.app import app
from keepsight.settings import SELECTOR_NAMES

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "AGENTS.md")


def constraints() -> dict[str, str]:
    """Package name -> pinned version."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(pin.name): next(iter(pin.specifier)).version for pin in pins}


def requirements() -> list[Requirement]:
    extras = [text for texts in PROJECT["optional-dependencies"].values() for text in texts]
    found = [Requirement(text) for text in PROJECT["dependencies"] + extras]
    return [requirement for requirement in found if requirement.name != "keepsight"]  # its own extras


@pytest.mark.parametrize("requirement", requirements(), ids=str)
def test_each_dependency_has_a_tested_version_in_its_range(requirement: Requirement) -> None:
    pins = constraints()
    name = canonicalize_name(requirement.name)
    assert name in pins
    assert requirement.specifier.contains(pins[name])


def test_torch_is_pinned_exactly() -> None:
    assert "torch==2.13.0" in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()


def commands_in_readme() -> list[str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL)
    written = [line.split("#")[0] for block in blocks for line in block.splitlines()]
    lines = [command.strip() for line in written for command in line.split("&&")]
    return sorted({line for line in lines if line.startswith("keepsight ")})


def help_of(*words: str) -> str:
    code = f"from keepsight.cli import main; main({[*words, '--help']!r})"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"COLUMNS": "200", "PATH": ""}
    )
    return done.stdout


@pytest.mark.parametrize("line", commands_in_readme())
def test_each_command_of_the_readme_exists_with_its_options(line: str) -> None:
    words = line.split()[1:]
    command = words[:2] if words[0] in ("toyworld", "bench") else words[:1]
    shown = help_of(*command)
    for option in re.findall(r"(?<=\s)--?[a-z][a-z-]*", line):
        assert option in shown


def test_the_readme_shows_each_command() -> None:
    names = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    names |= {group.name for group in app.registered_groups if group.name}
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert names == {line.split()[1] for line in commands_in_readme()} | set(re.findall(r"`keepsight (mcp) ", text))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_to_files_lead_somewhere(document: str) -> None:
    text = re.sub(r"<!--.*?-->", "", (ROOT / document).read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", text)
    missing = [target for target in targets if not (ROOT / target).exists()]
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_source_files_named_in_the_documents_exist(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    named = [name for name in re.findall(r"`(src/keepsight/[\w/.]+)`", text) if "000N" not in name]
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_file_has_the_version_and_date_of_the_newest_release() -> None:
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    version, date = re.findall(r"^## (\d+\.\d+\.\d+) — (\d{4}-\d\d-\d\d)$", changes, re.MULTILINE)[0]
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.findall(r"^(?:version|date-released): (.*)$", citation, re.MULTILINE) == [version, date]
    page = json.loads((ROOT / "web/package.json").read_text(encoding="utf-8"))
    lock = json.loads((ROOT / "web/package-lock.json").read_text(encoding="utf-8"))
    found = [PROJECT["version"], page["version"], lock["version"], lock["packages"][""]["version"]]
    assert found == [version] * 4


def test_files_and_packages_named_in_the_architecture_exist() -> None:
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    package = ROOT / "src/keepsight"
    homes = (package, ROOT, package / "server", package / "models", package / "method", package / "sources")
    named = re.findall(r"`([\w/]+(?:\.py|\.ts|/))`", text)
    assert len(named) > 40
    assert [name for name in named if not any((home / name).exists() for home in homes)] == []


def test_each_class_named_in_the_architecture_is_in_a_file_of_its_row() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = [
        line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ") and line.count(" | ") == 2
    ]
    named = [(re.findall(r"`([A-Z]\w+)`", classes), re.findall(r"`([\w/]+\.py)`", files)) for _, classes, files in rows]
    assert len(named) > 12
    for classes, files in named[1:]:
        code = "".join((ROOT / "src" / "keepsight" / file).read_text(encoding="utf-8") for file in files)
        for name in classes:
            assert re.search(rf"^(class {name}\b|{name} = )", code, re.MULTILINE), f"{name} is not in {files}"


def test_each_promise_names_a_check_that_there_is() -> None:
    text = (ROOT / "docs/promises.md").read_text(encoding="utf-8")
    checks = [row.split("|")[2] for row in re.findall(r"^\| (?!promise).*$", text, flags=re.MULTILINE)]
    assert len(checks) > 15
    for check in checks:
        files = re.findall(r"tests/[\w/]+(?:\.py)?", check)
        files += [f"benchmarks/{name}.py" for name in re.findall(r"benchmarks\.(\w+)", check)]
        assert files, check
        assert [name for name in files if not (ROOT / name).exists()] == []


def test_make_targets_named_in_the_documents_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, flags=re.MULTILINE))
    for document in DOCUMENTS:
        text = (ROOT / document).read_text(encoding="utf-8")
        assert set(re.findall(r"(?:^|`)make ([a-z-]+)", text, flags=re.MULTILINE)) <= targets


def test_the_changelog_names_every_selector() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").replace("-", "")
    assert all(name.replace("-", "") in text for name in SELECTOR_NAMES)
