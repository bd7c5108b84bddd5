"""What is said when a model does not fit: options and models whose computed memory does, checked one by one."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from keepsight.errors import ModelTooBigError
from keepsight.models import fitting
from keepsight.models.architectures import ARCHITECTURES
from keepsight.models.fitting import Need, check_fits, check_host
from keepsight.models.hardware import free_memory
from keepsight.models.hardware.number_formats import DTYPES
from keepsight.models.load_options import LoadOptions
from tests.models.random_model import ModelFolder
from tests.models.test_model_footprint import SEVEN_B

GB = 10**9
CUDA, CPU = torch.device("cuda:0"), torch.device("cpu")


@pytest.fixture(autouse=True)
def _torchao_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "require_extra", lambda extra, purpose: None)


def refusal(
    monkeypatch: pytest.MonkeyPatch,
    free: float,
    dtype: str = "float16",
    quantization: str | None = None,
    device: torch.device = CUDA,
) -> str:
    """What is said of the 7B where so many GB are free."""
    monkeypatch.setattr(free_memory, "free_memory_bytes", lambda _: int(free * GB))
    need = Need(_seven_b(), device, 16, torch.bfloat16)
    with pytest.raises(ModelTooBigError) as caught:
        check_fits(need, "big", "llava_onevision", DTYPES[dtype], quantization)
    return str(caught.value)


def _seven_b() -> Any:
    """The 7B with the weights of its decoder's linear layers, by its published sizes."""
    from dataclasses import replace

    attention = 2 * 3584 * 3584 + 2 * 3584 * 512
    return replace(SEVEN_B, num_linear_weights=28 * (attention + 3 * 3584 * 18_944))


def test_what_changes_least_comes_first_and_a_smaller_model_last(monkeypatch: pytest.MonkeyPatch) -> None:
    assert refusal(monkeypatch, 12, "float32") == (
        "big needs about 34.7 GB in float32, but cuda:0 has 12.0 GB free; what fits: "
        "--dtype bfloat16 --quantization int8 (10.8 GB) or --dtype bfloat16 --quantization int4 (8.4 GB) or "
        "--model llava-hf/llava-onevision-qwen2-0.5b-ov-hf in half precision (2.2 GB)"
    )
    assert "what fits: --dtype bfloat16 (17.4 GB) or " in refusal(monkeypatch, 20, "float32")
    assert "what fits: --quantization int8 (10.8 GB) or --quantization int4 (8.4 GB)" in refusal(monkeypatch, 11)


@pytest.mark.parametrize("free", [0.5, 1.8, 3, 7, 9, 11, 14, 18, 24, 33])
@pytest.mark.parametrize("device", [CUDA, CPU], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_everything_that_is_named_fits_by_its_own_computation(
    monkeypatch: pytest.MonkeyPatch, free: float, device: torch.device, dtype: str
) -> None:
    need = Need(_seven_b(), device, 16, torch.bfloat16)
    if need.num_bytes(DTYPES[dtype], None) <= free * GB:
        return
    said = refusal(monkeypatch, free, dtype, device=device)
    options = re.findall(r"((?:--dtype \w+ ?|--quantization \w+ ?)+)\(", said)
    for words in options:
        chosen = re.search(r"--dtype (\w+)", words)
        kind = re.search(r"--quantization (\w+)", words)
        wanted = DTYPES[chosen[1] if chosen else dtype]
        assert need.num_bytes(wanted, kind[1] if kind else None) <= free * GB
    for name in re.findall(r"--model (\S+)", said):
        (size,) = (one.memory[name] for one in ARCHITECTURES if name in one.memory)
        assert size <= free * GB
    assert ("what fits" in said) == bool(options or "--model" in said)


def test_nothing_that_fits_is_said_to_be_so(monkeypatch: pytest.MonkeyPatch) -> None:
    assert refusal(monkeypatch, 0.5) == (
        "big needs about 17.4 GB in float16, but cuda:0 has 0.5 GB free; no --dtype, no --quantization and no other "
        "known model makes it fit; close other programs or use another device"
    )


def test_four_bits_are_not_offered_on_a_cpu_where_they_need_more_than_eight(monkeypatch: pytest.MonkeyPatch) -> None:
    need = Need(_seven_b(), CPU, 16, torch.bfloat16)
    eight, four = (need.num_bytes(torch.float16, kind) for kind in ("int8", "int4"))
    assert four > eight
    said = refusal(monkeypatch, (eight + 1000) / GB, device=CPU)
    assert "--quantization int8" in said
    assert "int4" not in said


def test_a_wanted_quantisation_is_kept_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    said = refusal(monkeypatch, 14, "float32", "int8")
    assert said.startswith("big needs about 15.2 GB in float32 with int8, but cuda:0 has 14.0 GB free; ")
    assert "what fits: --dtype bfloat16 (10.8 GB) or --model" in said


def test_without_torchao_the_offer_has_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setitem(__import__("sys").modules, "torchao", None)
    said = refusal(monkeypatch, 11)
    assert '--quantization int8 (10.8 GB; quantization needs torchao: pip install "keepsight[quantization]")' in said


def test_a_model_of_another_architecture_is_named_where_none_of_its_own_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "--model HuggingFaceTB/SmolVLM2-500M-Video-Instruct in half precision (1.5 GB)" in refusal(monkeypatch, 1.8)


@pytest.mark.parametrize("free", [None, 18 * GB])
def test_a_model_that_fits_or_may_fit_is_not_refused(monkeypatch: pytest.MonkeyPatch, free: int | None) -> None:
    monkeypatch.setattr(free_memory, "free_memory_bytes", lambda _: free)
    check_fits(Need(_seven_b(), CUDA, 16, torch.bfloat16), "big", "llava_onevision", torch.float16, None)


def test_the_format_offered_is_one_that_the_device_multiplies_and_the_model_bears(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fitting, "has_bfloat16", lambda device: False)
    adapter = SimpleNamespace(overflows_float16=False, frames_per_batch=None)
    overflowing = SimpleNamespace(overflows_float16=True, frames_per_batch=4)
    assert Need.of(adapter, SEVEN_B, CPU, torch.float16).half == torch.bfloat16
    assert Need.of(adapter, SEVEN_B, CUDA, torch.float16).half == torch.float16
    assert Need.of(adapter, SEVEN_B, CUDA, torch.bfloat16).half is None
    assert Need.of(overflowing, SEVEN_B, CUDA, torch.float16).half is None
    assert [Need.of(one, SEVEN_B, CUDA, None).frames_per_batch for one in (adapter, overflowing)] == [16, 4]


def test_the_host_is_looked_at_on_the_way_to_a_gpu(model_folder: ModelFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder: Path = model_folder()
    monkeypatch.setattr(free_memory, "host_free_bytes", lambda: 1000)
    options = LoadOptions("big", "big", CUDA, torch.float16)
    with pytest.raises(ModelTooBigError) as caught:
        check_host("big", folder, options)
    assert str(caught.value) == (
        "loading big to cuda:0 needs about 0.0 GB of the host's memory, which has 0.0 GB free; "
        "close other programs or use another device"
    )
    monkeypatch.setattr(free_memory, "host_free_bytes", lambda: GB)
    check_host("big", folder, options)
    check_host("big", Path("/nowhere"), LoadOptions("big", "big", CPU, torch.float16))
