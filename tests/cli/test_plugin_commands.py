"""Plug-ins on the command line: listed with their packages, and refused in one line before a model is loaded."""

import inspect
import sys
from pathlib import Path

import pytest

from keepsight.bench import runner
from keepsight.cli.settings import SERVE, WATCH
from keepsight.cli.settings_options import TakesSettings
from keepsight.settings import SELECTOR_NAMES
from tests.cli.ended import Keepsight, MakeVideo
from tests.fake_model import FakeModel
from tests.plug_in import CENTRE, install


def test_a_broken_selector_is_one_line_before_the_model_is_loaded(
    keepsight: Keepsight, make_video: MakeVideo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = install(tmp_path / "site", "broken", "broken_at_once", "1 / 0", selectors="centre = broken_at_once:Centre")
    monkeypatch.syspath_prepend(site)
    ended = keepsight("watch", make_video(), "--selector", "centre", "--model", "no-such-model")
    assert ended.code == 2
    assert ended.complaint == "could not load selector 'centre' of broken 1.2: ZeroDivisionError: division by zero"
    assert not list(tmp_path.glob("*.db"))


def test_a_selector_of_another_package_is_watched_and_shown_with(
    keepsight: Keepsight, make_video: MakeVideo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "centre_plug_in", raising=False)
    selectors = "centre = centre_plug_in:Centre"
    monkeypatch.syspath_prepend(
        install(tmp_path / "site", "centre-plug-in", "centre_plug_in", CENTRE, selectors=selectors)
    )
    ended = keepsight("watch", make_video(), "--selector", "centre", "--model", "fake", "--sample-fps", 2)
    assert ended.code == 0
    assert {clip["num_kept_tokens"] for clip in ended.of("clip")} == {1}
    unknown = keepsight("watch", make_video(), "--selector", "edge", "--model", "fake")
    assert unknown.complaint.endswith(f"{', '.join(SELECTOR_NAMES)}, centre, got 'edge'")


def test_a_selector_that_fails_is_one_line_and_the_end_of_its_stream(
    keepsight: Keepsight, make_video: MakeVideo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "failing_plug_in", raising=False)
    code = CENTRE.replace("return Selected(", "return list(")
    site = install(tmp_path / "site", "failing", "failing_plug_in", code, selectors="centre = failing_plug_in:Centre")
    monkeypatch.syspath_prepend(site)
    ended = keepsight("watch", make_video(), "--selector", "centre", "--model", "fake", "--sample-fps", 2)
    assert ended.code == 2
    assert ended.complaint == (
        "selector 'centre' of failing 1.2 failed in select: TypeError: list expected at most 1 argument, got 2; "
        "use another one, or report it to the author of the package"
    )


def test_a_bench_method_that_fails_is_one_line(
    keepsight: Keepsight, fake_model: FakeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = """
from dataclasses import dataclass
from keepsight.bench.methods.blind import Blind

@dataclass(frozen=True)
class Loud(Blind):
    def answer(self, model, seen, asked):
        return asked.volume
"""
    monkeypatch.delitem(sys.modules, "loud_plug_in", raising=False)
    monkeypatch.syspath_prepend(
        install(tmp_path / "site", "loud", "loud_plug_in", code, bench_methods="loud = loud_plug_in:Loud")
    )
    monkeypatch.setattr(runner, "_load", lambda *_: fake_model)
    ended = keepsight("bench", "run", "--videos", 1, "--minutes", 1.5, "--processes", 1, "--method", "loud")
    assert (ended.code, ended.out) == (2, "")
    assert ended.complaint.startswith("method 'loud' of loud 1.2 failed in answer: AttributeError: ")


@pytest.mark.parametrize("command", ["watch", "serve"])
def test_help_says_that_parts_may_be_plug_ins(command: str) -> None:
    specs = TakesSettings(WATCH if command == "watch" else SERVE)(lambda load: None)
    texts = {name: one.annotation.__metadata__[0].help for name, one in inspect.signature(specs).parameters.items()}
    named = {name for name, text in texts.items() if ", or a plug-in's name; default: " in text}
    assert named == {"selector", "retriever", "memory_policy"}
    assert texts["selector"] == (
        f"Select the visual tokens of a clip to keep by this rule: {', '.join(SELECTOR_NAMES)}, "
        "or a plug-in's name; default: attention."
    )


def test_architectures_of_other_packages_are_listed(
    keepsight: Keepsight, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "raise RuntimeError('listing imports nothing')"
    monkeypatch.syspath_prepend(
        install(tmp_path / "site", "odd", "odd_vl_plug_in", code, architectures="odd_vl = odd_vl_plug_in:Adapter")
    )
    last = keepsight("models").of("architecture")[-1]
    assert (last["model_type"], last["package"]) == ("odd_vl", "odd 1.2")
    assert "odd_vl, from odd 1.2" in keepsight("models", "--no-json").out
