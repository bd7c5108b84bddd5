"""Checkpoints laid out as they are published: earlier names of tensors, several shards with an index, half precision.

Every tensor of every file must be in the model bit for bit, and nothing else.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from keepsight.errors import ModelError
from keepsight.models.adapter import VideoAdapter
from keepsight.models.loading import load_model
from tests.models.architecture import Architecture
from tests.models.architectures import ARCHITECTURES

NUM_SHARDS = 3

PUBLISHED = {
    "gemma3": ("vision_tower.", "vision_tower.vision_model."),
    "llava_next_video": ("vision_tower.", "vision_tower.vision_model."),
    "llava_onevision": ("vision_tower.", "vision_tower.vision_model."),
}
"""Beginnings of names as transformers 5 writes them, and as they stand in the files on the hub, where they differ."""


def publish(architecture: Architecture, folder: Path, dtype: torch.dtype) -> dict[str, Tensor]:
    """Write a checkpoint in the hub's layout; returns its tensors by name."""
    architecture.write(folder)
    old = folder / "model.safetensors"
    ours, theirs = PUBLISHED.get(str(architecture), ("", ""))
    tensors = {
        (theirs + name.removeprefix(ours) if name.startswith(ours) else name): tensor.to(dtype)
        for name, tensor in load_file(old).items()
    }
    old.unlink()
    names = sorted(tensors)
    shards = [f"model-{number:05d}-of-{NUM_SHARDS:05d}.safetensors" for number in range(1, NUM_SHARDS + 1)]
    files = {name: shards[index % NUM_SHARDS] for index, name in enumerate(names)}
    for file in shards:
        save_file({name: tensors[name] for name in names if files[name] == file}, folder / file, {"format": "pt"})
    num_bytes = sum(tensor.nbytes for tensor in tensors.values())
    index = {"metadata": {"total_size": num_bytes}, "weight_map": files}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config["torch_dtype"] = str(dtype).removeprefix("torch.")
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return tensors


def digest(tensor: Tensor) -> str:
    """Shape and every bit of a tensor."""
    content = tensor.detach().contiguous().flatten().view(torch.uint8).numpy().tobytes()
    return hashlib.sha256(repr(tuple(tensor.shape)).encode() + content).hexdigest()


def parts(tensor: Tensor) -> Iterator[Tensor]:
    """A parameter, and what it is put together from if it holds all experts of a layer."""
    yield tensor
    if tensor.dim() == 3:
        for expert in tensor:
            yield from (expert, *expert.chunk(2))


def digests(tensors: Iterable[Tensor]) -> set[str]:
    return {digest(part) for tensor in tensors for part in parts(tensor)}


CASES = [
    (architecture, stored, wanted)
    for architecture in ARCHITECTURES
    for stored in (torch.bfloat16, torch.float16)
    for wanted in (stored, torch.float32)
    if wanted is torch.float32 or str(wanted).removeprefix("torch.") in architecture.half_dtypes
]
"""Architecture, format of the files, and format to run in."""


@pytest.mark.parametrize(("architecture", "stored", "dtype"), CASES, ids=str)
def test_every_tensor_is_in_the_model_bit_for_bit(
    architecture: Architecture,
    stored: torch.dtype,
    dtype: torch.dtype,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    tensors = publish(architecture, tmp_path / "model", stored)
    model = load_model(tmp_path / "model", device="cpu", dtype=str(dtype).removeprefix("torch."))
    assert isinstance(model, VideoAdapter)
    assert [line for line in caplog.messages if "not used" in line] == []
    parameters = list(model._model.parameters())
    buffers = [buffer for name, buffer in model._model.named_buffers() if name in model._model.state_dict()]
    assert {parameter.dtype for parameter in parameters} == {dtype}
    held = digests([*parameters, *buffers])
    # A bias that chooses experts is kept in float32, with the stored value.
    lost = [name for name, one in tensors.items() if not {digest(one.to(dtype)), digest(one.float())} & held]
    assert lost == []
    num_stored = sum(tensor.numel() for tensor in tensors.values())
    assert sum(tensor.numel() for tensor in [*parameters, *buffers]) == num_stored
    assert model.info.num_parameters == sum(parameter.numel() for parameter in parameters)


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=str)
def test_a_missing_shard_is_said(architecture: Architecture, tmp_path: Path) -> None:
    publish(architecture, tmp_path / "model", torch.bfloat16)
    (tmp_path / "model" / "model-00002-of-00003.safetensors").unlink()
    with pytest.raises(ModelError, match=r"model-00002-of-00003\.safetensors"):
        load_model(tmp_path / "model", device="cpu")
