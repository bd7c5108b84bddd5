"""Which layers go to which device, against all splits tried one by one, and what is refused before weights are read."""

from itertools import combinations_with_replacement
from pathlib import Path
from typing import Any

import pytest
import torch

from keepsight.errors import ModelTooBigError, SettingError
from keepsight.models import split_plan
from keepsight.models.checkpoint import load_config, load_weights
from keepsight.models.fitting import Need
from keepsight.models.hardware import devices, free_memory
from keepsight.models.hardware.devices import choose_device, choose_devices
from keepsight.models.loading import load_model
from keepsight.models.registry import adapter_class, settings_for
from keepsight.models.split_plan import SplitNeed, check_split_fits, split_layers
from tests.models.arch_gemma3 import Gemma3
from tests.models.arch_llava_onevision import LlavaOnevision
from tests.models.architecture import Architecture

CUDA = tuple(torch.device(f"cuda:{number}") for number in range(3))
CPUS = (torch.device("cpu:0"), torch.device("cpu:1"))


@pytest.mark.parametrize(
    ("layers", "beside", "free"),
    [
        ([4] * 28, [20, 5], [100, 100]),
        ([4] * 28, [20, 5], [30, 200]),
        ([4] * 28, [90, 5, 5], [80, 40, 120]),
        ([1, 9, 2, 8, 3, 7], [0, 2, 4], [10, 20, 30]),
        ([5, 5], [1, 1, 1], [100, 1, 100]),
        ([3, 3, 3], [50, 2], [10, 0]),
    ],
)
def test_the_fullest_device_is_the_least_full_of_all_splits(
    layers: list[int], beside: list[int], free: list[int]
) -> None:
    def fullest(ends: tuple[int, ...]) -> float:
        runs = [layers[start:end] for start, end in zip((0, *ends[:-1]), ends, strict=True)]
        needs = [sum(run) + beside[place] if run or not place else 0 for place, run in enumerate(runs)]
        return max(need / max(room, 1) for need, room in zip(needs, free, strict=True))

    every = combinations_with_replacement(range(len(layers) + 1), len(free) - 1)
    best = min(fullest((*ends, len(layers))) for ends in every)
    found = tuple(split_layers(layers, beside, free))
    assert (len(found), found[-1]) == (len(free), len(layers))
    assert fullest(found) == best


def need_of(
    monkeypatch: pytest.MonkeyPatch, architecture: Architecture, folder: Path, free: list[int]
) -> tuple[SplitNeed, Any]:
    """What a checkpoint needs where two devices have so many bytes free."""
    architecture.write(folder)
    monkeypatch.setattr(free_memory, "free_memory_bytes", lambda device: free[device.index])
    adapter, config = adapter_class(architecture.model_type), load_config(folder)
    shape = adapter.shape(config, settings_for(adapter, folder, None))
    return SplitNeed.of(Need.of(adapter, shape, CPUS[0], None), adapter, config, CPUS), architecture.model_class


@pytest.mark.parametrize("architecture", [LlavaOnevision(), Gemma3()], ids=str)
def test_the_layers_of_a_plan_have_the_weights_of_the_model(
    monkeypatch: pytest.MonkeyPatch, architecture: Architecture, tmp_path: Path
) -> None:
    wanted, model_class = need_of(monkeypatch, architecture, tmp_path, [10**9, 10**9])
    layers = load_weights(model_class, tmp_path, torch.float32).get_decoder().layers
    assert [total for total, _ in wanted.layers] == [sum(one.numel() for one in layer.parameters()) for layer in layers]
    plan = wanted.plan(torch.float32, None)
    assert len(plan.layer_devices) == len(layers)
    whole = wanted.need.num_bytes(torch.float32, None)

    assert sum(share.num_bytes for share in plan.shares) >= whole > max(share.num_bytes for share in plan.shares)

    smaller = wanted.plan(torch.bfloat16, None)
    assert sum(one.num_bytes for one in smaller.shares) < sum(one.num_bytes for one in plan.shares)
    eight = wanted.plan(torch.float32, "int8")
    assert sum(one.num_bytes for one in eight.shares) < sum(one.num_bytes for one in plan.shares)


def test_a_device_with_more_memory_free_gets_more_layers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    wanted, _ = need_of(monkeypatch, LlavaOnevision(), tmp_path, [10**9, 10**7])
    assert wanted.plan(torch.float32, None).shares[0].num_layers == len(wanted.layers)
    wanted, _ = need_of(monkeypatch, LlavaOnevision(), tmp_path, [10**7, 10**9])
    assert wanted.plan(torch.float32, None).shares[1].num_layers == len(wanted.layers)


def test_a_model_that_fits_on_no_split_is_refused_with_each_shortage(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wanted, _ = need_of(monkeypatch, LlavaOnevision(), tmp_path, [0, 0])
    with pytest.raises(ModelTooBigError) as caught:
        check_split_fits(wanted, "big", torch.float32, None)
    said = str(caught.value)
    assert said.startswith("big in float32 does not fit over 2 devices: cpu:0 needs 0.0 GB and has 0.0 GB free, cpu:1 ")
    assert said.endswith("; use a smaller model or more devices, or close other programs")


def test_options_that_fit_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    wanted, _ = need_of(monkeypatch, LlavaOnevision(), tmp_path, [10**9, 10**9])
    half = [share.num_bytes for share in wanted.plan(torch.bfloat16, None).shares]
    room, _ = need_of(monkeypatch, LlavaOnevision(), tmp_path, half)
    with pytest.raises(ModelTooBigError, match=r"; what fits: --dtype bfloat16"):
        check_split_fits(room, "big", torch.float32, None)
    assert check_split_fits(room, "big", torch.bfloat16, None).fits


def test_the_check_comes_before_the_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = LlavaOnevision().write(tmp_path)
    (folder / "model.safetensors").unlink()
    monkeypatch.setattr(devices, "choose_devices", lambda _: CPUS)
    monkeypatch.setattr(free_memory, "free_memory_bytes", lambda _: 0)
    with pytest.raises(ModelTooBigError, match="does not fit over 2 devices"):
        load_model(folder, dtype="float32")


def test_compiled_passes_are_refused_with_several_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "choose_devices", lambda _: CPUS)
    with pytest.raises(SettingError) as caught:
        load_model("tiny", compile_passes=True)
    assert str(caught.value) == (
        "compile must be off for a model on several devices, got cpu:0, cpu:1; use one device or leave out --compile"
    )


def test_an_adapter_without_a_transformers_class_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Own: ...

    wanted, _ = need_of(monkeypatch, LlavaOnevision(), tmp_path, [0, 0])
    with pytest.raises(SettingError, match="device must be one device for Own, got cpu:0, cpu:1"):
        split_plan.SplitNeed.of(wanted.need, Own, None, CPUS)


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ("cuda:0,cuda:1", CUDA[:2]),
        ("cuda:2, cuda:0", (CUDA[2], CUDA[0])),
        ("all", CUDA),
        ("cuda", CUDA[:1]),
        ("cpu", (torch.device("cpu"),)),
    ],
)
def test_several_devices_by_name(monkeypatch: pytest.MonkeyPatch, asked: str, given: tuple[torch.device, ...]) -> None:
    has_cuda(monkeypatch, 3)
    assert choose_devices(asked) == given
    assert choose_device(asked) == given[0]


@pytest.mark.parametrize(
    ("num_cuda", "asked", "said"),
    [
        (3, "cuda:0,cuda:0", "device must be different CUDA devices where it is several, got 'cuda:0,cuda:0'"),
        (3, "cuda:0,cpu", "device must be different CUDA devices where it is several, got 'cuda:0,cpu'"),
        (1, "cuda:0,cuda:1", "device must be one of auto, cpu, cuda:0 on this machine, got 'cuda:1'"),
        (0, "all", "device must be one of auto, cpu on this machine, got 'all'"),
    ],
)
def test_devices_that_cannot_be_are_refused(
    monkeypatch: pytest.MonkeyPatch, num_cuda: int, asked: str, said: str
) -> None:
    has_cuda(monkeypatch, num_cuda)
    with pytest.raises(SettingError) as caught:
        choose_devices(asked)
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    ("cuda", "hip", "hint"),
    [
        (None, None, f"torch {torch.__version__} is a build without CUDA: install one with it (https://pytorch.org)"),
        ("13.0", None, "torch finds no GPU: check its driver, with nvidia-smi or rocminfo"),
        (None, "7.1", "torch finds no GPU: check its driver, with nvidia-smi or rocminfo"),
    ],
)
def test_why_there_is_no_gpu_is_said(
    monkeypatch: pytest.MonkeyPatch, cuda: str | None, hip: str | None, hint: str
) -> None:
    has_cuda(monkeypatch, 0)
    monkeypatch.setattr(torch.version, "cuda", cuda)
    monkeypatch.setattr(torch.version, "hip", hip)
    with pytest.raises(SettingError) as caught:
        choose_devices("cuda")
    assert str(caught.value) == f"device must be one of auto, cpu on this machine, got 'cuda'; {hint}"


def has_cuda(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """Let torch report so many CUDA devices, and no other GPU."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
