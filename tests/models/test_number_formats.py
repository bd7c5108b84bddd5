"""Number formats: the one that a checkpoint and the hardware ask for, and what is refused."""

import itertools
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from keepsight.errors import SettingError
from keepsight.models.adapters.gemma3 import Gemma3Adapter
from keepsight.models.adapters.internvl import InternVLAdapter
from keepsight.models.adapters.llava_next_video import LlavaNextVideoAdapter
from keepsight.models.adapters.llava_onevision import LlavaOnevisionAdapter
from keepsight.models.adapters.qwen2_5_vl import Qwen25VLAdapter
from keepsight.models.adapters.qwen3_vl import Qwen3VLAdapter
from keepsight.models.adapters.smolvlm import SmolVLMAdapter
from keepsight.models.hardware import number_formats
from keepsight.models.hardware.number_formats import (
    choose_dtype,
    default_dtype,
    has_bfloat16,
    published_dtype,
    sums_apart,
)
from keepsight.models.load_options import DTYPE_DEFAULT, LARGE_MODEL_PARAMETERS
from keepsight.models.loading import load_model
from tests.models.random_model import ModelFolder

F32, F16, BF16 = torch.float32, torch.float16, torch.bfloat16
CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("published", "overflows", "with_bfloat16", "without"),
    [
        (F16, False, F16, F16),  # LLaVA-OneVision
        (F16, True, BF16, F32),  # Qwen2.5-VL that somebody has saved in float16
        (BF16, False, BF16, F32),  # LLaVA-NeXT-Video
        (BF16, True, BF16, F32),  # Qwen2.5-VL, Qwen3-VL, InternVL, Gemma
        (F32, False, BF16, F32),  # SmolVLM2
        (None, False, BF16, F32),
    ],
)
@pytest.mark.parametrize("device_type", ["cuda", "mps"])
def test_a_gpu_runs_a_checkpoint_in_its_own_format(
    device_type: str,
    published: torch.dtype | None,
    overflows: bool,
    with_bfloat16: torch.dtype,
    without: torch.dtype,
) -> None:
    for available, expected in ((True, with_bfloat16), (False, without)):
        for num_parameters in (1, 10**12):
            chosen = default_dtype(
                device_type,
                has_bfloat16=available,
                published=published,
                num_parameters=num_parameters,
                overflows_float16=overflows,
            )
            assert chosen == expected


def test_a_cpu_runs_float32_but_large_models_in_bfloat16_where_it_multiplies_that() -> None:
    for published, overflows in itertools.product((F32, F16, BF16, None), (False, True)):

        def chosen(
            num_parameters: int,
            *,
            fast: bool,
            published: torch.dtype | None = published,
            overflows: bool = overflows,
        ) -> torch.dtype:
            return default_dtype(
                "cpu",
                has_bfloat16=fast,
                published=published,
                num_parameters=num_parameters,
                overflows_float16=overflows,
            )

        assert chosen(LARGE_MODEL_PARAMETERS - 1, fast=True) == F32
        assert chosen(LARGE_MODEL_PARAMETERS, fast=True) == BF16
        assert chosen(LARGE_MODEL_PARAMETERS, fast=False) == F32


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({"architecture": "x86_64", "avx512_bf16": True, "amx_bf16": False}, True),
        ({"architecture": "x86_64", "avx512_bf16": False, "amx_bf16": True}, True),
        ({"architecture": "x86_64", "avx512_bf16": False, "amx_bf16": False, "avx512_f": True}, False),
        ({"architecture": "aarch64", "bf16": True}, False),
        ({}, False),
    ],
)
def test_cpus_that_multiply_bfloat16_are_known_by_what_they_can(
    monkeypatch: pytest.MonkeyPatch, capabilities: dict[str, Any], expected: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    assert has_bfloat16(CPU) == expected
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert not has_bfloat16(CPU)


def test_this_cpu_is_known_as_linux_knows_it() -> None:
    info = Path("/proc/cpuinfo")
    if not info.is_file() or not hasattr(torch.cpu, "get_capabilities"):
        pytest.skip("no /proc/cpuinfo, or a torch that cannot tell")
    words = set(info.read_text().split())
    assert has_bfloat16(CPU) == bool({"avx512_bf16", "amx_bf16"} & words)


def test_a_torch_that_cannot_tell_runs_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert not has_bfloat16(CPU)


@pytest.mark.parametrize(
    ("capability", "multiplies", "expected"),
    [("AVX512", False, True), ("AVX512", True, False), ("AVX2", False, False), ("DEFAULT", False, False)],
)
def test_products_are_summed_apart_by_the_kernels_of_avx512_without_bfloat16(
    monkeypatch: pytest.MonkeyPatch, capability: str, *, multiplies: bool, expected: bool
) -> None:
    monkeypatch.setattr(number_formats, "has_bfloat16", lambda device: multiplies)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    assert sums_apart(CPU, torch.bfloat16) == expected
    assert not sums_apart(CPU, torch.float32)
    assert not sums_apart(torch.device("cuda"), torch.bfloat16)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert not sums_apart(CPU, torch.bfloat16)


@pytest.mark.parametrize(("capability", "expected"), [((7, 5), False), ((8, 0), True), ((8, 9), True), ((12, 0), True)])
def test_gpus_multiply_bfloat16_from_ampere_on(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], *, expected: bool
) -> None:
    asked: list[object] = []

    def of(device: object) -> tuple[int, int]:
        asked.append(device)
        return capability

    monkeypatch.setattr(torch.cuda, "get_device_capability", of)
    second = torch.device("cuda:1")
    assert has_bfloat16(second) == expected
    assert asked == [second]
    monkeypatch.setattr(torch.version, "hip", "6.2")
    assert has_bfloat16(second)


@pytest.mark.parametrize("macos", [13, 14, 26])
def test_apple_gpus_multiply_bfloat16_from_macos_14_on(monkeypatch: pytest.MonkeyPatch, macos: int) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_macos_or_newer", lambda major, minor: (macos, 0) >= (major, minor))
    assert has_bfloat16(torch.device("mps")) == (macos >= 14)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"dtype": "bfloat16"}, BF16),
        ({"torch_dtype": "float16"}, F16),
        ({"torch_dtype": "torch.float32"}, F32),
        ({"text_config": {"torch_dtype": "bfloat16"}}, BF16),
        ({"torch_dtype": "float16", "text_config": {"torch_dtype": "bfloat16"}}, F16),
        ({"vision_config": {"torch_dtype": "bfloat16"}}, F32),  # of the weights
        ({"text_config": None}, F32),
        ({"dtype": "float8_e4m3fn"}, None),
        ({}, F32),
    ],
)
def test_the_published_format_is_that_of_the_configuration_else_of_the_weights(
    tmp_path: Path, config: dict[str, Any], expected: torch.dtype | None
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    first = {"a": torch.zeros(3, dtype=F16), "b": torch.zeros(2, 2, dtype=F32)}
    save_file(first, tmp_path / "model-00001-of-00002.safetensors")
    save_file({"c": torch.zeros(9, dtype=BF16)}, tmp_path / "model-00002-of-00002.safetensors")
    assert published_dtype(tmp_path) == expected


def test_the_published_format_may_be_unknown(tmp_path: Path) -> None:
    assert published_dtype(tmp_path) is None
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"not safetensors")
    assert published_dtype(tmp_path) is None
    save_file({"a": torch.zeros(3, dtype=torch.int8)}, tmp_path / "model.safetensors")
    assert published_dtype(tmp_path) is None


def test_the_models_that_overflow_float16_are_marked() -> None:
    overflowing = (Gemma3Adapter, InternVLAdapter, Qwen25VLAdapter, Qwen3VLAdapter)
    assert all(adapter.overflows_float16 for adapter in overflowing)
    others = (LlavaNextVideoAdapter, LlavaOnevisionAdapter, SmolVLMAdapter)
    assert not any(adapter.overflows_float16 for adapter in others)


def test_a_named_format_is_taken_or_refused_in_one_line() -> None:
    for name, dtype in number_formats.DTYPES.items():
        assert choose_dtype(name, CPU) == dtype
    with pytest.raises(SettingError) as refused:
        choose_dtype("float16", CPU, overflows_float16=True)
    assert str(refused.value) == (
        "dtype must be one of float32, bfloat16 for a model that overflows float16, got 'float16'"
    )
    with pytest.raises(SettingError, match="got 'bfloat61'; did you mean bfloat16"):
        choose_dtype("bfloat61", CPU, overflows_float16=True)


def test_a_model_is_loaded_in_the_format_of_its_size(
    model_folder: ModelFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(number_formats, "has_bfloat16", lambda device: True)
    assert load_model("tiny", device="cpu").info.dtype == "float32"
    model = load_model(model_folder(), device="cpu")
    assert model.info.dtype == "float32"
    monkeypatch.setattr(number_formats, "LARGE_MODEL_PARAMETERS", model.info.num_parameters)
    assert load_model(model_folder(), device="cpu").info.dtype == "bfloat16"
    assert load_model(model_folder(), device="cpu", dtype="float32").info.dtype == "float32"
    monkeypatch.setattr(number_formats, "LARGE_MODEL_PARAMETERS", model.info.num_parameters + 1)
    assert load_model(model_folder(), device="cpu").info.dtype == "float32"


def test_a_checkpoint_without_a_named_format_loads(model_folder: ModelFolder, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(model_folder(), tmp_path / "model"))
    config = json.loads((folder / "config.json").read_text())
    for part in (config, config["text_config"], config["vision_config"]):
        part.pop("dtype", None)
    (folder / "config.json").write_text(json.dumps(config))
    assert published_dtype(folder) == F32
    assert load_model(folder, device="cpu").info.dtype == "float32"


def test_help_names_the_size_of_a_large_model() -> None:
    assert f"{LARGE_MODEL_PARAMETERS:_}" == f"{LARGE_MODEL_PARAMETERS // 10**6}_000_000"
    assert f"{LARGE_MODEL_PARAMETERS // 10**6} million parameters" in DTYPE_DEFAULT
