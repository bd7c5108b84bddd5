"""Garbage collection while a model is loaded: paused, and as it was before afterwards."""

import gc
from collections.abc import Callable, Iterator

import pytest

from keepsight.cli.collection import paused_collection
from keepsight.cli.options import load_answering_or_say, load_model_or_say
from keepsight.errors import UnknownModelError
from keepsight.models.load_options import LoadRequest
from tests.fake_model import FakeModel


@pytest.fixture(autouse=True)
def kept_collection() -> Iterator[None]:
    yield
    gc.enable()


@pytest.mark.parametrize("is_enabled", [True, False])
def test_it_is_paused_and_then_as_before(is_enabled: bool) -> None:
    if not is_enabled:
        gc.disable()
    with paused_collection():
        assert not gc.isenabled()
    assert gc.isenabled() == is_enabled


@pytest.mark.parametrize("load", [load_model_or_say, load_answering_or_say])
def test_it_is_paused_while_a_model_is_loaded(
    monkeypatch: pytest.MonkeyPatch, load: Callable[[LoadRequest], object]
) -> None:
    seen: list[bool] = []

    def load_fake(name: str, **_: object) -> FakeModel:
        seen.append(gc.isenabled())
        if name == "none":
            raise UnknownModelError("none")
        return FakeModel()

    monkeypatch.setattr("keepsight.models.loading.load_model", load_fake)
    assert isinstance(load(LoadRequest("some")), FakeModel)
    assert gc.isenabled()
    with pytest.raises(UnknownModelError):
        load(LoadRequest("none"))
    assert gc.isenabled()
    assert seen == [False, False]
