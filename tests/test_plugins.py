"""Parts of other packages: found by name, imported when used, refused in one line, recorded with their versions."""

import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from keepsight.asking.evidence import retriever_of
from keepsight.bench.datasets import load_dataset
from keepsight.bench.environment import describe_environment
from keepsight.bench.methods import make_method
from keepsight.bench.methods.base import record_of
from keepsight.engine.watcher import Watcher
from keepsight.errors import SettingError
from keepsight.journal import Journal
from keepsight.method.memory import Fifo, make_policy
from keepsight.method.recurrence import check_parts
from keepsight.method.selection import Uniform, make_selector
from keepsight.models.registry import adapter_class
from keepsight.plugins import Recorded
from keepsight.settings import PARTS, Settings
from tests.fake_model import FakeModel
from tests.plug_in import CENTRE, install
from tests.small_videos import MakeVideo

QUICK = Settings(frames_per_clip=4, sample_fps=2, retention=0.25, memory_clips=2)


@pytest.fixture
def centre(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The selector `centre` of the package `centre-plug-in`; the module's name."""
    monkeypatch.delitem(sys.modules, "centre_plug_in", raising=False)
    monkeypatch.syspath_prepend(
        install(
            tmp_path / "site", "centre-plug-in", "centre_plug_in", CENTRE, selectors="centre = centre_plug_in:Centre"
        )
    )
    return "centre_plug_in"


@dataclass(frozen=True)
class Newest:
    """A selector of this test, from no package."""

    num_kept: int = 1

    def select(self, tokens: torch.Tensor, scores: torch.Tensor) -> Any:
        return make_selector("uniform").select(tokens[-self.num_kept :], scores[-self.num_kept :])


def test_a_plug_in_is_named_like_a_built_in_part_and_imported_when_it_is_made(centre: str) -> None:
    settings = Settings(selector="centre", retention=0.25)
    assert PARTS["selector"].names()[-1] == "centre"
    assert (Settings.from_json(settings.to_json()), centre in sys.modules) == (settings, False)
    made = make_selector(settings.selector, retention=settings.retention)
    assert repr(made) == "Centre(retention=0.25, places=())"
    assert make_selector("uniform") == Uniform()


def test_settings_record_the_package_and_its_version(centre: str) -> None:
    settings = Settings(selector="centre")
    assert json.loads(settings.to_json())["selector"] == {"name": "centre", "package": "centre-plug-in 1.2"}
    assert "selector='centre' (centre-plug-in 1.2)" in repr(settings)
    assert repr(Settings.from_json(settings.to_json())) == repr(settings)
    text = settings.to_json().replace("1.2", "1.3")
    assert Settings.from_json(text) == settings  # an update resumes, and its record is kept
    assert Settings.from_json(text).to_json() == text
    assert describe_environment(FakeModel(), processes=1, seed=0)["versions"]["centre-plug-in"] == "1.2"
    assert repr(Settings()).startswith("Settings(frames_per_clip=16, sample_fps=0.5, selector='attention', ")


def test_an_object_is_recorded_with_its_class_and_fields(centre: str) -> None:
    made: Any = make_selector("centre")
    moved = replace(made, places=(1, 2))
    settings = Settings(selector=moved)
    data = json.loads(settings.to_json())["selector"]
    fields = {"retention": 0.0625, "places": [1, 2]}
    assert data == {"name": "centre_plug_in:Centre", "fields": fields, "package": "centre-plug-in 1.2"}
    read = Settings.from_json(settings.to_json())
    assert (read, hash(read)) == (settings, hash(settings))
    assert make_selector(read.selector) == moved
    assert read != Settings(selector=made) != Settings(selector="centre") != Settings()
    assert "places=(1, 2)) (centre-plug-in 1.2)" in repr(settings)


def test_objects_are_taken_wherever_names_are() -> None:
    settings = Settings(selector=Uniform(0.5), memory_policy=Fifo(), retriever=_recency())
    assert make_selector(settings.selector) == Uniform(0.5)
    assert make_policy(settings.memory_policy) == Fifo()
    assert retriever_of(settings) == _recency()
    read = Settings.from_json(settings.to_json())
    assert (make_selector(read.selector), make_policy(read.memory_policy)) == (Uniform(0.5), Fifo())
    assert retriever_of(read) == _recency()
    assert make_method("captions", settings).watching == make_method("captions", read).watching


def _recency() -> Any:
    from keepsight.asking.retrieval import Recency

    return Recency()


@pytest.mark.parametrize("part", [3, None, Uniform, Fifo(), ["attention"], {"name": 3}, {"other": 1}])
def test_what_is_no_selector_is_refused(part: Any) -> None:
    with pytest.raises(SettingError, match=r"selector must be one of attention, .*, or a frozen dataclass with select"):
        Settings(selector=part)
    if not isinstance(part, type | Fifo):
        with pytest.raises(SettingError, match="selector must be"):
            Settings.from_json(json.dumps({"selector": part}))


def test_fields_that_cannot_be_recorded_are_refused() -> None:
    with pytest.raises(SettingError, match="fields of Newest must be JSON values"):
        Settings(selector=Newest(num_kept=torch.zeros(1)))  # type: ignore[arg-type]


def test_a_stream_resumes_with_an_equal_object_only(tmp_path: Path, make_video: MakeVideo) -> None:
    video, journal = make_video(seconds=12), tmp_path / "journal.db"
    settings = replace(QUICK, selector=Newest(2))
    with Watcher(FakeModel(), journal, settings) as watcher:
        first = next(iter(watcher.watch(video)))
        assert watcher.stream is not None
        stream = watcher.stream.id
    with Watcher(FakeModel(), journal, replace(QUICK, selector=Newest(2))) as watcher:
        rest = list(watcher.watch(video))
        assert rest
        assert rest[0].span.start_seconds >= first.span.end_seconds
        assert watcher.stream is not None
        assert watcher.stream.id == stream
    with Watcher(FakeModel(), journal, replace(QUICK, selector=Newest(3))) as watcher:
        assert len(list(watcher.watch(video))) == len(rest) + 1
        assert watcher.stream is not None
        assert watcher.stream.id != stream


def test_a_journal_is_asked_without_the_plug_in_and_resumed_with_it_only(
    centre: str, tmp_path: Path, make_video: MakeVideo, monkeypatch: pytest.MonkeyPatch
) -> None:
    video, journal = make_video(seconds=12), tmp_path / "journal.db"
    with Watcher(FakeModel(), journal, replace(QUICK, selector="centre")) as watcher:
        next(iter(watcher.watch(video)))
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry != str(tmp_path / "site")])
    with Journal.open(journal) as opened:
        (stream,) = opened.streams.all()
    settings = Settings.from_json(stream.settings_json)
    assert settings.selector == Recorded("centre")
    with Watcher(FakeModel(), journal, settings) as watcher:
        assert watcher.ask("Where is the dog?").text
        with pytest.raises(SettingError, match=r"got 'centre'; install centre-plug-in 1.2, which registered it"):
            list(watcher.resume(stream))


def test_an_object_of_no_package_says_what_is_wanted() -> None:
    settings = Settings.from_json(Settings(selector=Newest(2)).to_json())
    with pytest.raises(SettingError, match=r'no installed plug-in has .*"num_kept": 2.*; give an equal object'):
        check_parts(settings)


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("import nothing_of_this_name", "ModuleNotFoundError: No module named 'nothing_of_this_name'"),
        ("raise RuntimeError('two\\nlines')", "RuntimeError: two"),
        ("raise RuntimeError", "RuntimeError: no reason given"),
        ("Centre = 3", "must be a frozen dataclass, got 3"),
        ("class Centre: pass", "must be a frozen dataclass"),
        ("import dataclasses\n@dataclasses.dataclass(frozen=True)\nclass Centre: pass", "with select"),
        ("x = 1", "AttributeError"),
    ],
)
def test_a_broken_plug_in_is_one_line_with_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, says: str
) -> None:
    monkeypatch.delitem(sys.modules, "broken_plug_in", raising=False)
    site = install(tmp_path / "site", "broken", "broken_plug_in", code, selectors="centre = broken_plug_in:Centre")
    monkeypatch.syspath_prepend(site)
    with pytest.raises(SettingError) as caught:
        check_parts(Settings(selector="centre"))
    message = str(caught.value)
    assert "selector 'centre' of broken 1.2" in message
    assert says in message
    assert "\n" not in message


def test_two_plug_ins_of_one_name_are_refused(centre: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(install(tmp_path / "b", "other", "other", "", selectors="centre = other:Centre"))
    for use in (lambda: Settings(selector="centre"), PARTS["selector"].names):
        with pytest.raises(
            SettingError, match=r"'centre' is registered by centre-plug-in 1.2 and other 1.2; uninstall"
        ):
            use()


def test_a_plug_in_with_a_built_in_name_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    groups = {"selectors": "uniform = taken:Uniform", "bench_methods": "blind = taken:Blind"}
    monkeypatch.syspath_prepend(install(tmp_path / "site", "taken", "taken", "", **groups))
    for use in (lambda: make_selector("uniform"), lambda: make_method("blind")):
        with pytest.raises(SettingError, match=r"is built in, but taken 1.2 registers another one; uninstall"):
            use()
    assert make_selector("attention").retention == 0.0625


def test_methods_data_sets_and_architectures_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = """
from dataclasses import dataclass
from keepsight.bench.methods.blind import Blind
from keepsight.bench.records import DataSet

@dataclass(frozen=True)
class Loud(Blind):
    volume: int = 1

def load_nothing(folder):
    return DataSet("nothing", (), "exact")

class Adapter:
    load = settings = shape = print
"""
    monkeypatch.delitem(sys.modules, "many", raising=False)
    groups = {
        "bench_methods": "loud = many:Loud",
        "bench_datasets": "nothing = many:load_nothing",
        "architectures": "odd_vl = many:Adapter",
    }
    monkeypatch.syspath_prepend(install(tmp_path / "site", "many", "many", code, **groups))
    method = make_method("loud:volume=3,selector=uniform")
    assert record_of(method).startswith("Loud(settings=Settings(")
    assert record_of(method).endswith("volume=3) (many 1.2)")
    assert record_of(make_method("blind")) == repr(make_method("blind"))
    assert load_dataset("nothing", tmp_path).name == "nothing"
    assert adapter_class("odd_vl").__name__ == "Adapter"  # type: ignore[attr-defined]
    with pytest.raises(SettingError, match=r"architecture must be one of gemma3, .*, odd_vl, got 'even_vl'"):
        adapter_class("even_vl")
