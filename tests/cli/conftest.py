"""Runs commands in this process, with a stand-in model."""

from pathlib import Path

import pytest

from keepsight.cli.app import run
from tests.cli.ended import Ended, Keepsight
from tests.fake_model import FakeModel


@pytest.fixture
def keepsight(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, fake_model: FakeModel
) -> Keepsight:
    """Runs a command in an empty folder; `--model fake`, and the model of a journal it wrote, is the stand-in."""
    from keepsight.models import loading

    load_really = loading.load_model

    def load(name: str, **options: object) -> object:
        return fake_model if name == fake_model.name else load_really(name, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(loading, "load_model", load)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def command(*words: object) -> Ended:
        code = run([str(word) for word in words])
        captured = capsys.readouterr()
        return Ended(code, captured.out, captured.err)

    return command
