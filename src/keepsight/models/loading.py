"""Loading of a model by bundled name, folder, or Hugging Face id.

Importing this module is cheap; torch and transformers are imported when a model is loaded.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from keepsight.errors import SettingError
from keepsight.models.huggingface.names import HubName
from keepsight.models.load_options import LoadRequest
from keepsight.models.places import LocalModel, find_model
from keepsight.models.published_files import check_penalty
from keepsight.models.registry import ADAPTER_GROUP, BundledModel, list_models

if TYPE_CHECKING:
    import torch

    from keepsight.method.protocol import AnsweringModel, BatchModel
    from keepsight.models.huggingface.snapshot import Snapshot

__all__ = ["BundledModel", "list_models", "load_answering_model", "load_model"]


def load_model(
    name_or_path: str | Path,
    *,
    device: str | None = None,
    dtype: str | None = None,
    score_layers: tuple[int, ...] | None = None,
    quantization: str | None = None,
    tokens_per_frame: int | None = None,
    repetition_penalty: float | None = None,
    compile_passes: bool = False,
) -> "BatchModel":
    """Load a model, after checking that its architecture is supported and that it fits in memory.

    No code from a checkpoint is run, and only safetensors weights are read.

    Args:
        name_or_path: a bundled name (`tiny`), a folder in Hugging Face format, or a hub id such as
            `llava-hf/llava-onevision-qwen2-0.5b-ov-hf`, with `@` and a branch, tag or commit if not the main branch.
        device: `cpu`, `cuda`, `cuda:1`, `mps` ...; None or `auto` for CUDA, else `mps`, else the CPU. Several CUDA
            devices, such as `cuda:0,cuda:1`, or `all` of them, share the decoder's layers
            (`keepsight.models.split_plan`).
        dtype: `float32`, `float16` or `bfloat16`; None for the checkpoint's own on a GPU, and float32 on a CPU, or
            bfloat16 for a large model where the CPU multiplies it (`keepsight.models.hardware.number_formats`).
        score_layers: decoder layers, 1-based, whose attention scores tokens; None for the paper's, scaled to the
            model's depth.
        quantization: `int8` or `int4` weights in the decoder (`keepsight.models.quantization`, needs torchao); None for
            none.
        tokens_per_frame: visual tokens of a large square frame, for models that keep a frame's aspect ratio, such as
            Qwen's; None for the architecture's default (`docs/real-models.md`). Time and memory of a clip grow with it.
        repetition_penalty: divides logits of tokens that were in prompt or reply before, 0.01 to 100; None for the
            checkpoint's, as in generation_config.json; 1 for none.
        compile_passes: compile the generation of captions and answers (`keepsight.models.decoding.compiled_passes`);
            takes up to a minute at the first clips, and pays where launches dominate, as on GPUs.

    Raises:
        UnknownModelError: no such bundled model, folder or hub id.
        ModelDownloadError: the hub cannot be reached, or refuses, or the disk has too little space.
        UnsupportedModelError: the architecture has no adapter, or the weights are quantized.
        ModelTooBigError: not enough free memory on the device.
        ModelError: the checkpoint is damaged or incomplete.
        SettingError: device, dtype, score_layers, quantization, tokens_per_frame, repetition_penalty or compile_passes
            are not possible.
        PlugInError: the adapter is a plug-in that fails.
    """
    layers = None if score_layers is None else tuple(score_layers)
    request = LoadRequest(
        model=str(name_or_path),
        device=device,
        dtype=dtype,
        quantization=quantization,
        tokens_per_frame=tokens_per_frame,
        repetition_penalty=repetition_penalty,
        compile_passes=compile_passes,
        score_layers=layers,
    )
    return _load(request)


def load_answering_model(
    name_or_path: str | Path,
    *,
    device: str | None = None,
    dtype: str | None = None,
    quantization: str | None = None,
    repetition_penalty: float | None = None,
) -> "AnsweringModel":
    """Load a model that answers from captions: without its vision tower where that is possible, else as `load_model`.

    It is possible for a bundled model on the CPU in float32. Then transformers is not imported, which would take longer
    than the answer; the answers are the same.

    Args:
        name_or_path, device, dtype, quantization, repetition_penalty: as for `load_model`.

    Raises:
        ModelError, SettingError: as for `load_model`.
    """
    from keepsight.models.hardware.devices import choose_device

    bundled = next((model for model in list_models() if model.name == str(name_or_path)), None)
    is_plain = dtype in (None, "float32") and quantization is None and repetition_penalty is None
    if bundled is not None and is_plain and choose_device(device).type == "cpu":
        from keepsight.models.text_only.model import TextModel

        return TextModel.load(bundled.name, bundled.folder)
    return load_model(
        name_or_path, device=device, dtype=dtype, quantization=quantization, repetition_penalty=repetition_penalty
    )


def _load(request: LoadRequest) -> "BatchModel":
    from keepsight.models.fitting import check_host
    from keepsight.models.hardware.allocator import return_large_blocks
    from keepsight.models.load_plan import LoadPlan
    from keepsight.models.quantization import check_quantization

    check_quantization(request.quantization)
    if request.repetition_penalty is not None:
        check_penalty(request.repetition_penalty)
    place = find_model(request.model)
    devices = _devices(request)
    found = place if isinstance(place, LocalModel) else _find_on_hub(place)
    plan = LoadPlan.of(found.folder, devices, request)
    folder = found.fetch_weights()
    options = plan.options(folder, found.checkpoint, request)
    check_host(request.model, folder, options)
    if plan.device.type == "cpu":
        return_large_blocks()
    with ADAPTER_GROUP.calling(plan.adapter, "load", expected=(SettingError,)):
        return plan.adapter.load(folder, options)


def _devices(request: LoadRequest) -> "list[torch.device]":
    from keepsight.models.hardware.devices import choose_devices

    devices = list(choose_devices(request.device))
    if request.compile_passes and len(devices) > 1:
        names = ", ".join(map(str, devices))
        raise SettingError(
            f"compile must be off for a model on several devices, got {names}; use one device or leave out --compile"
        )
    return devices


def _find_on_hub(name: HubName) -> "Snapshot":
    from keepsight.models.huggingface.snapshot import find_snapshot

    return find_snapshot(name)
