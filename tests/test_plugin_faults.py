"""Plug-ins that fail: one line with the package's name, a stream marked as failed, and everything stored stays."""

import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from keepsight.engine.watcher import Watcher
from keepsight.errors import KeepsightError, ModelError, PlugInError, SettingError
from keepsight.journal import EndReason, Journal
from keepsight.method.memory import Capacity, RememberedClip, VisualMemory
from keepsight.method.selection import Selected, Uniform
from keepsight.settings import PARTS, Settings
from tests.fake_model import FakeModel
from tests.plug_in import install
from tests.small_videos import MakeVideo

QUICK = Settings(frames_per_clip=4, sample_fps=2, retention=0.25, memory_clips=2)
ADVICE = "; use another one, or report it to the author of the package"

RECIPE = """
from dataclasses import dataclass
from keepsight.method.selection import Retaining, Selected, check_clip, count_kept, keep

@dataclass(frozen=True)
class Part(Retaining):
    def select(self, tokens, scores):
        num_kept = count_kept(check_clip(tokens, scores), self.retention)
        return keep(tokens, scores.topk(num_kept).indices.sort().values)
"""

PART = """
from dataclasses import dataclass, replace
import torch
from keepsight.method.selection import Selected

@dataclass(frozen=True)
class Part:
    seed: int = 0

    {signature}
        {body}
"""

SIGNATURES = {
    "selector": "def select(self, tokens, scores):",
    "memory_policy": "def retain(self, clips, capacity):",
    "retriever": "def choose(self, embeddings, query, costs, budget):",
}
GROUPS = {"selector": "selectors", "memory_policy": "memory_policies", "retriever": "retrievers"}

InstallPart = Callable[[str, str], Settings]


@pytest.fixture
def install_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> InstallPart:
    """Install the package `faulty 1.2` with a part `odd`, given its kind and the code of its method."""

    def with_part(noun: str, body: str) -> Settings:
        code = RECIPE if body == RECIPE else PART.format(signature=SIGNATURES[noun], body=body)
        monkeypatch.delitem(sys.modules, "faulty_part", raising=False)
        groups = {GROUPS[noun]: "odd = faulty_part:Part"}
        monkeypatch.syspath_prepend(install(tmp_path / "site", "faulty", "faulty_part", code, **groups))
        part: Any = {noun: "odd"}
        return replace(QUICK, **part)

    return with_part


def test_the_recipe_of_a_selector_imports_and_selects(
    install_part: InstallPart, tmp_path: Path, make_video: MakeVideo
) -> None:
    settings = install_part("selector", RECIPE)
    with Watcher(FakeModel(), tmp_path / "a.db", settings) as watcher:
        theirs = [list(moment.kept_indices) for moment in watcher.watch(make_video(seconds=6))]
    with Watcher(FakeModel(), tmp_path / "b.db", QUICK) as watcher:
        ours = [list(moment.kept_indices) for moment in watcher.watch(make_video(seconds=6))]
    assert theirs == ours
    assert theirs


FAULTS = [
    ("selector", "raise RuntimeError('two\\nlines')", "RuntimeError: two lines"),
    ("selector", "raise KeyError", "KeyError: no reason given"),
    ("selector", "return tokens[:2]", "the result must be a Selected, got Tensor"),
    ("selector", "return None", "the result must be a Selected, got NoneType"),
    (
        "selector",
        "return Selected(tokens[:2], torch.tensor([1, 0]))",
        "indices of kept tokens must be at least 0 and strictly increasing, got [1, 0]",
    ),
    (
        "selector",
        "return Selected(tokens[:1], torch.tensor([len(tokens)]))",
        "indices of kept tokens must be below 16, the number of visual tokens, got 16",
    ),
    (
        "selector",
        "return Selected(tokens[:1], torch.tensor([0], dtype=torch.int32))",
        "indices must be int64 of shape [1], one per kept token, got torch.int32 of shape [1]",
    ),
    (
        "selector",
        "return Selected(tokens[:1].double(), torch.tensor([0]))",
        "kept tokens must be like those of the clip, 12 dims, torch.float32, on cpu, "
        "got 12 dims, torch.float64, on cpu",
    ),
    (
        "selector",
        "return Selected(tokens[:1] * float('nan'), torch.tensor([0]))",
        "kept tokens must be finite, got NaN or infinity",
    ),
    (
        "selector",
        "return Selected(tokens[:1] + float('inf'), torch.tensor([0]))",
        "kept tokens must be finite, got NaN or infinity",
    ),
    ("memory_policy", "return 1 / 0", "ZeroDivisionError: division by zero"),
    ("memory_policy", "return list(clips)", "the result must be a tuple of RememberedClip, got list of RememberedClip"),
    (
        "memory_policy",
        "return tuple(clip.tokens for clip in clips)",
        "the result must be a tuple of RememberedClip, got tuple of Tensor",
    ),
    (
        "memory_policy",
        "return (replace(clips[0], clip_index=7),)",
        "the result must have no other clips than were given, got clip 7",
    ),
    (
        "memory_policy",
        "return (clips[0], clips[0])",
        "clips must be added in order: clip_index must be above 0, got 0",
    ),
]


@pytest.mark.parametrize(("noun", "body", "says"), FAULTS)
def test_a_fault_while_watching_names_the_package_and_is_the_streams_end(
    install_part: InstallPart, tmp_path: Path, make_video: MakeVideo, noun: str, body: str, says: str
) -> None:
    member = {"selector": "select", "memory_policy": "retain"}[noun]
    said = f"{noun} 'odd' of faulty 1.2 failed in {member}: {says}{ADVICE}"
    with Watcher(FakeModel(), tmp_path / "a.db", install_part(noun, body)) as watcher:
        with pytest.raises(PlugInError) as caught:
            list(watcher.watch(make_video(seconds=6)))
        assert watcher.stream is not None
        assert (watcher.stream.end_reason, watcher.stream.end_detail) == (EndReason.FAILED, said)
    assert str(caught.value) == said
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("raise IndexError('odd')", "IndexError: odd"),
        ("return None", "the result must be a list of whole numbers, got NoneType"),
        ("return [0.5]", "the result must be a list of whole numbers, got list"),
        ("return [1, 0]", "chosen indices must be strictly increasing, from 0 to 2, got [1, 0]"),
        ("return [0, 3]", "chosen indices must be strictly increasing, from 0 to 2, got [0, 3]"),
    ],
)
def test_a_fault_of_a_retriever_names_the_package(
    install_part: InstallPart, tmp_path: Path, make_video: MakeVideo, body: str, says: str
) -> None:
    with Watcher(FakeModel(), tmp_path / "a.db", install_part("retriever", body)) as watcher:
        assert len(list(watcher.watch(make_video(seconds=6)))) == 3
        with pytest.raises(PlugInError) as caught:
            watcher.ask("Where is the dog?")
    assert str(caught.value) == f"retriever 'odd' of faulty 1.2 failed in choose: {says}{ADVICE}"


def test_what_was_stored_before_a_fault_stays_and_is_resumed_once_it_is_mended(
    install_part: InstallPart, tmp_path: Path, make_video: MakeVideo
) -> None:
    body = (
        "if self.seed == 1: raise RuntimeError('odd')\n        return Selected(tokens[:1].clone(), torch.tensor([0]))"
    )
    settings, video, path = install_part("selector", body), make_video(seconds=6), tmp_path / "a.db"
    with Watcher(FakeModel(), path, settings) as watcher, pytest.raises(PlugInError):
        list(watcher.watch(video))
    with Journal.open(path) as journal:
        (stream,) = journal.streams.all()
        assert [clip.clip_index for clip in journal.clips.captions(stream.id)] == [0]
    code = (tmp_path / "site" / "faulty_part.py").read_text(encoding="utf-8").replace("== 1", "== 99")
    (tmp_path / "site" / "faulty_part.py").write_text(code, encoding="utf-8")
    sys.modules.pop("faulty_part")
    with Watcher(FakeModel(), path, settings) as watcher:
        assert [moment.clip_index for moment in watcher.watch(video)] == [1, 2]


def test_the_traceback_is_logged_for_the_author(
    install_part: InstallPart, tmp_path: Path, make_video: MakeVideo, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "keepsight.plugins")
    settings = install_part("selector", "raise RuntimeError('odd')")
    with Watcher(FakeModel(), tmp_path / "a.db", settings) as watcher, pytest.raises(PlugInError):
        list(watcher.watch(make_video(seconds=3)))
    assert "selector 'odd' of faulty 1.2 failed in select" in caplog.text
    assert "in select\n    raise RuntimeError('odd')" in caplog.text


@dataclass(frozen=True)
class Objecting:
    """A part of this test, from no package."""

    kind: str = "KeyError"

    def select(self, tokens: torch.Tensor, scores: torch.Tensor) -> Selected:
        raise {"KeyError": KeyError("odd"), "ModelError": ModelError("scores must be numbers, got NaN")}[self.kind]

    def retain(self, clips: tuple[RememberedClip, ...], capacity: Capacity) -> Any:
        raise SettingError("room must be above 0")


def test_an_object_of_no_package_is_named_by_its_class() -> None:
    memory = VisualMemory(policy=Objecting())
    with pytest.raises(PlugInError) as caught:
        memory.append(0, torch.ones(1, 2), torch.tensor([0]), torch.ones(1))
    where = f"memory_policy {Objecting.__module__}:Objecting"
    assert str(caught.value) == f"{where} failed in retain: room must be above 0{ADVICE}"
    assert memory.clips() == ()


def test_faults_of_our_own_parts_and_errors_on_purpose_pass_unchanged() -> None:
    with pytest.raises(ZeroDivisionError), PARTS["selector"].calling(Uniform(), "select"):
        raise ZeroDivisionError
    with pytest.raises(ModelError) as caught, PARTS["selector"].calling(Objecting(), "select"):
        Objecting("ModelError").select(torch.ones(1, 2), torch.ones(1))
    assert str(caught.value) == "scores must be numbers, got NaN"
    assert not issubclass(PlugInError, SettingError)
    assert issubclass(PlugInError, KeepsightError)


def test_a_part_that_cannot_be_created_names_the_package(install_part: InstallPart) -> None:
    settings = install_part(
        "retriever", "return None\n\n    def __post_init__(self):\n        raise OSError('no table')"
    )
    with pytest.raises(PlugInError) as caught:
        PARTS["retriever"].make(settings.retriever, {}, {"seed": 0})
    assert str(caught.value) == f"retriever 'odd' of faulty 1.2 failed in its creation: OSError: no table{ADVICE}"
