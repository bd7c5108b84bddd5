"""Loading of a model by bundled name, folder, or Hugging Face id.

Importing this module is cheap; torch and transformers are imported when a model is loaded.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from keepsight.errors import ModelError, SettingError, UnknownModelError, UnsupportedModelError
from keepsight.incoming import did_you_mean
from keepsight.models.huggingface.names import HubName, known_ids
from keepsight.models.json_files import read_object
from keepsight.models.load_options import LoadOptions
from keepsight.models.naming import fingerprint_of
from keepsight.models.places import LocalModel, find_model
from keepsight.models.published_files import check_config, check_generation_config, check_penalty
from keepsight.models.registry import ADAPTER_GROUP, BundledModel, adapter_class, list_models, settings_for

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
    """
    from keepsight.models.checkpoint import load_config
    from keepsight.models.config_ranges import check_ranges
    from keepsight.models.fitting import Need, check_fits, check_host
    from keepsight.models.hardware.allocator import return_large_blocks
    from keepsight.models.hardware.devices import choose_devices
    from keepsight.models.hardware.number_formats import choose_dtype, has_bfloat16, published_dtype
    from keepsight.models.quantization import check_quantization
    from keepsight.models.split_plan import SplitNeed, check_split_fits

    name = str(name_or_path)
    check_quantization(quantization)
    if repetition_penalty is not None:
        check_penalty(repetition_penalty)
    place = find_model(name)
    devices = choose_devices(device)
    chosen_device = devices[0]
    if compile_passes and len(devices) > 1:
        names = ", ".join(map(str, devices))
        raise SettingError(
            f"compile must be off for a model on several devices, got {names}; use one device or leave out --compile"
        )
    found = place if isinstance(place, LocalModel) else _find_on_hub(place)
    model_type = _supported_type(name, found.folder)
    adapter = adapter_class(model_type)
    config = load_config(found.folder)
    check_ranges(found.folder, config)
    settings = settings_for(adapter, found.folder, tokens_per_frame)
    try:
        shape = adapter.shape(config, settings)
    except (ArithmeticError, LookupError, AssertionError) as error:  # of transformers, which builds the model from it
        raise ModelError(
            f"{found.folder / 'config.json'} does not describe a model ({type(error).__name__}: {error}); correct it, "
            "or download the model again"
        ) from error
    published = published_dtype(found.folder)
    chosen_dtype = choose_dtype(
        dtype,
        next((one for one in devices if not has_bfloat16(one)), chosen_device),
        published=published,
        num_parameters=shape.num_parameters,
        overflows_float16=adapter.overflows_float16,
    )
    need = Need.of(adapter, shape, chosen_device, published)
    layer_devices: tuple[torch.device, ...] = ()
    if len(devices) == 1:
        check_fits(need, name, model_type, chosen_dtype, quantization)
    else:
        wanted = SplitNeed.of(need, adapter, config, devices)
        layer_devices = check_split_fits(wanted, name, chosen_dtype, quantization).layer_devices
    folder = found.fetch_weights()
    options = LoadOptions(
        name=name,
        checkpoint=found.checkpoint,
        device=chosen_device,
        dtype=chosen_dtype,
        score_layers=None if score_layers is None else tuple(score_layers),
        quantization=quantization,
        tokens_per_frame=tokens_per_frame,
        repetition_penalty=repetition_penalty,
        compile_passes=compile_passes,
        layer_devices=layer_devices,
        fingerprint=fingerprint_of(folder),
    )
    check_host(name, folder, options)
    if chosen_device.type == "cpu":
        return_large_blocks()
    return adapter.load(folder, options)


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


def _find_on_hub(name: HubName) -> "Snapshot":
    from keepsight.models.huggingface.snapshot import find_snapshot

    return find_snapshot(name)


def _supported_type(name: str, folder: Path) -> str:
    """The checkpoint's `model_type`, after a check of its JSON files.

    Raises:
        UnsupportedModelError: it has no adapter, or the weights are quantized.
        ModelError: see `check_config` and `check_generation_config`.
    """
    if not (folder / "config.json").is_file():
        raise UnknownModelError(f"{name} is not a model in Hugging Face format: it has no config.json")
    config = read_object(folder / "config.json")
    model_type = config.get("model_type")
    names = ADAPTER_GROUP.names()
    if model_type in names:
        check_config(name, folder / "config.json", config)
        check_generation_config(folder / "generation_config.json")
        return str(model_type)
    listed = config.get("architectures")
    architecture = (listed[0] if isinstance(listed, list) and listed else None) or model_type or "unnamed"
    raise UnsupportedModelError(
        f"architecture of {name} must be one of {', '.join(sorted(names))}, got {architecture}"
        f"{did_you_mean(name, known_ids())}"
    )
