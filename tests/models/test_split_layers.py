"""A decoder over two devices, as far as a CPU can show it: nothing mixes devices, and all results are the same."""

from pathlib import Path
from typing import Any

import pytest
import torch

from keepsight.bench.baselines.kv_stream import KeyValueStream
from keepsight.errors import SettingError
from keepsight.method.protocol import AnswerRequest, DescribeRequest, ScoreRule, VisualInput
from keepsight.models import adapter
from keepsight.models.hardware import devices, free_memory
from keepsight.models.loading import load_model
from tests.models.arch_llava_onevision import LlavaOnevision
from tests.models.architecture import Architecture, random_frames
from tests.models.architectures import ARCHITECTURES
from tests.models.fake_devices import FIRST, SECOND, FakeDevices


@pytest.fixture
def _two_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "choose_devices", lambda _: (FIRST, SECOND))
    monkeypatch.setattr(free_memory, "free_memory_bytes", lambda _: 10**9)


def results(model: Any) -> list[Any]:
    """What a model makes of a clip, two streams, a draft and questions."""
    frames = random_frames(4)
    tokens = model.encode(frames)
    shown = VisualInput(tokens[::3], tokens, token_grid=model.token_grid(*frames[0].shape[:2]))
    shorter = VisualInput(tokens[:0], tokens, token_grid=shown.token_grid)
    every = ScoreRule("all")
    found = model.describe_batch([shown, shorter], DescribeRequest(max_new_tokens=4, scoring=every))
    found.append(model.describe(shown, DescribeRequest(max_new_tokens=6, recent_captions=("a dog arrives",))))
    answers = ["".join(model.answer(AnswerRequest("", "Where?", one, max_new_tokens=6))) for one in (shown, None)]
    described = [part for one in found for part in (one.caption, one.scores.tolist(), one.num_caption_tokens)]
    return [tokens.tolist(), *described, *answers, model.embed("a dog").tolist()]


def half(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put half of the four layers on each device, whatever would be best."""
    from keepsight.models import split_plan

    monkeypatch.setattr(split_plan, "split_layers", lambda layers, beside, free: [len(layers) // 2, len(layers)])


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=str)
@pytest.mark.usefixtures("_two_devices")
def test_a_split_model_mixes_no_devices_and_gives_the_same(
    monkeypatch: pytest.MonkeyPatch, architecture: Architecture, tmp_path: Path
) -> None:
    folder = architecture.write(tmp_path)
    half(monkeypatch)
    with FakeDevices() as fake:
        model: Any = load_model(folder, dtype="float32")
        layers = model._model.get_decoder().layers
        places = [{fake.device_of(one) for one in layer.parameters()} for layer in layers]
        loaded = dict(fake.num_calls)
        split = results(model)
    assert places == [{FIRST}] * (len(layers) // 2) + [{SECOND}] * (len(layers) - len(layers) // 2)
    assert model.info.device == "cpu:0, cpu:1"
    assert all(fake.num_calls[one] > loaded[one] for one in (FIRST, SECOND))
    # Not `cpu`, whose weights are views of the file: products of matrices depend on the alignment of memory.
    monkeypatch.setattr(devices, "choose_devices", lambda _: (FIRST,))
    whole: Any = load_model(folder, dtype="float32")
    assert whole.info.device == "cpu:0"
    assert split == results(whole)


@pytest.mark.usefixtures("_two_devices")
def test_tokens_and_scores_of_the_last_layer_are_on_the_first_device(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = LlavaOnevision().write(tmp_path)
    half(monkeypatch)
    with FakeDevices() as fake:
        model: Any = load_model(folder, dtype="float32", score_layers=(4,))
        tokens = model.encode(random_frames(2))
        scores = model.describe(VisualInput(tokens[:0], tokens), DescribeRequest(max_new_tokens=3)).scores
        assert (fake.device_of(tokens), fake.device_of(scores)) == (FIRST, FIRST)


@pytest.mark.usefixtures("_two_devices")
def test_retrieval_of_keys_and_values_refuses_a_split_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    half(monkeypatch)
    model: Any = load_model(LlavaOnevision().write(tmp_path), dtype="float32")
    with pytest.raises(SettingError) as caught:
        KeyValueStream(model)
    assert str(caught.value) == "device must be one device for retrieval of keys and values, got cpu:0, cpu:1"


@pytest.mark.usefixtures("_two_devices")
def test_the_fake_devices_refuse_a_model_whose_inputs_are_not_moved(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = ARCHITECTURES[0].write(tmp_path)
    half(monkeypatch)
    monkeypatch.setattr(adapter, "move_inputs", lambda model, options: None)
    with FakeDevices(), pytest.raises(RuntimeError, match="expected all tensors on one device"):
        results(load_model(folder, dtype="float32"))


@pytest.mark.parametrize(
    ("work", "is_refused"),
    [
        pytest.param(lambda first, second: first + second, True, id="two-devices"),
        pytest.param(lambda first, second: torch.cat([first, torch.ones(2)]), True, id="host"),
        pytest.param(lambda first, second: second[first.long()], True, id="index-of-another"),
        pytest.param(lambda first, second: torch.nn.functional.linear(first, second), True, id="function"),
        pytest.param(lambda first, second: first + torch.ones(()), False, id="number"),
        pytest.param(lambda first, second: first[torch.tensor([0])], False, id="index-of-the-host"),
        pytest.param(lambda first, second: first + second.to(first.device), False, id="moved"),
        pytest.param(lambda first, second: first + first.new_ones(2), False, id="made-there"),
    ],
)
def test_the_fake_devices_refuse_what_real_ones_do(work: Any, is_refused: bool) -> None:
    with FakeDevices():
        first, second = torch.ones(2).to(FIRST), torch.ones(2, device=SECOND)
        assert (first.device, second[:1].device, torch.ones(2).device) == (FIRST, SECOND, torch.device("cpu"))
        if not is_refused:
            work(first, second)
            return
        with pytest.raises(RuntimeError, match="expected all tensors on one device"):
            work(first, second)
