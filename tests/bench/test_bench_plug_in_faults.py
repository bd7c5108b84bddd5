"""Plug-ins of the bench that fail: one line with the package's name, from the command as from Python."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from keepsight.bench.causal import watch_and_ask
from keepsight.bench.datasets import load_dataset
from keepsight.bench.methods import make_method
from keepsight.bench.records import DataSet, Question, Video
from keepsight.bench.shared_model import SharedModel
from keepsight.errors import PlugInError, SettingError
from keepsight.models.registry import adapter_class, settings_for
from tests.fake_model import FakeModel
from tests.plug_in import install

ADVICE = "; use another one, or report it to the author of the package"

CODE = """
from dataclasses import dataclass, field
from keepsight.bench.methods.base import NoCaptions, Reply
from keepsight.bench.records import DataSet, Question, Video
from keepsight.settings import Settings
import numpy as np
from keepsight.video import Frame

class Observer(NoCaptions):
    def see(self, frame):
        {see}
    def finish(self):
        {finish}
    def captions(self):
        {captions}

@dataclass(frozen=True)
class Method:
    settings: Settings = field(default_factory=Settings)
    count: int = 1
    def __post_init__(self):
        {init}
    @property
    def sample_fps(self):
        {sample_fps}
    @property
    def watching(self):
        {watching}
    def begin(self, model, sample_fps):
        {begin}
    def answer(self, model, seen, asked):
        {answer}

class Source:
    def frames(self, sample_fps):
        yield Frame(np.zeros((8, 8, 3), np.uint8), 0.0)
        {frames}

def load(folder):
    {load}

class Adapter:
    @classmethod
    def settings(cls, folder):
        {settings}
    @classmethod
    def with_tokens_per_frame(cls, settings, tokens_per_frame):
        {with_tokens_per_frame}
    load = shape = print
"""
RIGHT = {
    "init": "pass",
    "sample_fps": "return 1.0",
    "watching": "return 'nothing'",
    "begin": "return Observer()",
    "see": "pass",
    "finish": "pass",
    "captions": "return []",
    "answer": "return Reply('yes', 3)",
    "frames": "return",
    "load": "return DataSet('odd', (Video('v', Source(), (Question('q', 'Where?', 'here'),)),), 'exact')",
    "settings": "return {}",
    "with_tokens_per_frame": "return settings",
}

Run = Callable[[dict[str, str]], None]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Install the package `faulty 1.2` with some lines exchanged, and use its method, data set and adapter."""

    def use(lines: dict[str, str]) -> None:
        monkeypatch.delitem(sys.modules, "faulty_bench", raising=False)
        groups = {
            "bench_methods": "odd = faulty_bench:Method",
            "bench_datasets": "odd = faulty_bench:load",
            "architectures": "odd = faulty_bench:Adapter",
        }
        code = CODE.format(**(RIGHT | lines))
        monkeypatch.syspath_prepend(install(tmp_path / "site", "faulty", "faulty_bench", code, **groups))
        method = make_method("odd:count=2")
        (video,) = load_dataset("odd", tmp_path).videos
        predictions, _ = watch_and_ask(SharedModel(FakeModel()), video, {"odd": method})
        assert [one.answer for one in predictions] == ["yes"]
        settings_for(adapter_class("odd"), tmp_path, 4)

    return use


def test_a_package_without_faults_is_used(run: Run) -> None:
    run({})


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ({"init": "raise OSError('no table')"}, "method 'odd' of faulty 1.2 failed in its creation: OSError: no table"),
        ({"sample_fps": "return 1 / 0"}, "method 'odd' of faulty 1.2 failed in sample_fps: ZeroDivisionError: "),
        ({"sample_fps": "return 0"}, "failed in sample_fps: the result must be a number above 0, got 0"),
        ({"sample_fps": "return 'fast'"}, "failed in sample_fps: the result must be a number above 0, got 'fast'"),
        (
            {"watching": "return []"},
            "method 'odd' of faulty 1.2 failed in watching: TypeError: unhashable type: 'list'",
        ),
        ({"begin": "raise KeyError('k')"}, "method 'odd' of faulty 1.2 failed in begin: KeyError: 'k'"),
        ({"see": "frame.colour"}, "faulty_bench:Observer of faulty 1.2 failed in see: AttributeError: "),
        ({"finish": "raise IndexError"}, "Observer of faulty 1.2 failed in finish: IndexError: no reason given"),
        (
            {"captions": "return 3"},
            "Observer of faulty 1.2 failed in captions: TypeError: 'int' object is not iterable",
        ),
        (
            {"answer": "raise ValueError('two\\nlines')"},
            "method 'odd' of faulty 1.2 failed in answer: ValueError: two ",
        ),
        ({"answer": "return 'yes'"}, "failed in answer: the result must be a Reply, got str"),
        ({"frames": "raise OSError('gone')"}, "faulty_bench:Source of faulty 1.2 failed in frames: OSError: gone"),
        ({"frames": "yield 3"}, "Source of faulty 1.2 failed in frames: frames must be Frame, got int"),
        ({"load": "return folder['x']"}, "data set 'odd' of faulty 1.2 failed in loading: TypeError: "),
        (
            {"load": "return []"},
            "data set 'odd' of faulty 1.2 failed in loading: the result must be a DataSet, got list",
        ),
        (
            {"settings": "raise RuntimeError('odd')"},
            "architecture 'odd' of faulty 1.2 failed in settings: RuntimeError: ",
        ),
        ({"with_tokens_per_frame": "return settings[0]"}, "faulty 1.2 failed in with_tokens_per_frame: KeyError: 0"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_fault_names_the_part_and_the_package(run: Run, lines: dict[str, str], says: str) -> None:
    with pytest.raises(PlugInError) as caught:
        run(lines)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(ADVICE)


@pytest.mark.parametrize(
    "lines",
    [
        {
            "init": "from keepsight.errors import SettingError\n        "
            "raise SettingError('count must be below 2, got 2')"
        },
        {
            "with_tokens_per_frame": "from keepsight.errors import SettingError\n        "
            "raise SettingError('count must be below 2, got 2')"
        },
    ],
    ids=str,
)
def test_a_value_that_a_user_gave_is_the_users_fault(run: Run, lines: dict[str, str]) -> None:
    with pytest.raises(SettingError) as caught:
        run(lines)
    assert str(caught.value) == "count must be below 2, got 2"


class Broken:
    """A part of this test that looks like Keepsight's own."""

    __module__ = "keepsight.bench.datasets.sources"

    def frames(self, sample_fps: float) -> object:
        raise ZeroDivisionError(sample_fps)


def test_our_own_faults_are_not_anothers() -> None:
    video = Video("v", Broken(), (Question("q", "Where?", "here"),))  # type: ignore[arg-type]
    assert DataSet("own", (video,), "exact").num_questions == 1
    with pytest.raises(ZeroDivisionError):
        watch_and_ask(SharedModel(FakeModel()), video, {"blind": make_method("blind")})
