"""Visual tokens a frame as a setting, for models that keep a frame's aspect ratio."""

import json
from pathlib import Path

import pytest

from keepsight.errors import SettingError
from keepsight.models.adapter import VideoAdapter
from keepsight.models.adapters.gemma4 import Gemma4Adapter
from keepsight.models.loading import load_model
from tests.models.arch_gemma4 import Gemma4
from tests.models.arch_gemma4_unified import Gemma4Unified
from tests.models.arch_qwen2_5_vl import Qwen25VL
from tests.models.arch_qwen3_vl import Qwen3VL
from tests.models.architecture import Architecture, random_frames
from tests.models.architectures import ARCHITECTURES


def checkpoint(architecture: Architecture, folder: Path, most_tokens: int) -> Path:
    """A checkpoint whose own limit is that many tokens a step."""
    architecture.write(folder)
    path = folder / "preprocessor_config.json"
    settings = json.loads(path.read_text())
    vision = json.loads((folder / "config.json").read_text())["vision_config"]
    pixels = (vision["patch_size"] * vision["spatial_merge_size"]) ** 2
    settings["max_pixels"] = most_tokens * pixels
    settings.get("size", {})["longest_edge"] = most_tokens * pixels
    path.write_text(json.dumps(settings))
    return folder


def loaded(folder: Path, tokens_per_frame: int | None) -> VideoAdapter:
    model = load_model(folder, device="cpu", tokens_per_frame=tokens_per_frame)
    assert isinstance(model, VideoAdapter)
    return model


@pytest.mark.parametrize("architecture", [Qwen25VL(), Qwen3VL()], ids=str)
def test_a_large_frame_has_at_most_as_many_tokens_as_asked_for(architecture: Architecture, tmp_path: Path) -> None:
    folder = checkpoint(architecture, tmp_path / "model", 16_384)
    for asked, per_step in ((None, 196), (98, 196), (8, 16), (200, 400), (1, 1)):
        model = loaded(folder, asked)
        per_frame = model.info.tokens_per_step / model.info.frames_per_step
        assert model.info.tokens_per_step == per_step
        assert asked is None or per_frame <= asked
        rows, columns = model.token_grid(1080, 1920)
        assert per_step / 2 <= rows * columns <= per_step
        assert rows < columns or per_step == 1
        small = random_frames(2, height=240, width=320)
        rows, columns = model.token_grid(240, 320)
        assert len(model.encode(small)) == rows * columns


def test_memory_grows_with_it(tmp_path: Path) -> None:
    folder = checkpoint(Qwen25VL(), tmp_path / "model", 16_384)
    few, many = loaded(folder, 8).info, loaded(folder, 32).info
    assert few.num_parameters == many.num_parameters
    weights = few.num_parameters * 4
    # 8 steps of 16 or 64 tokens, as many in memory, and 257 for chat and caption
    grown = (many.memory_bytes - weights) / (few.memory_bytes - weights)
    assert grown == pytest.approx((2 * 8 * 64 + 257) / (2 * 8 * 16 + 257), rel=0.01)


def test_more_than_the_checkpoint_takes_is_refused(tmp_path: Path) -> None:
    folder = checkpoint(Qwen25VL(), tmp_path / "model", 400)
    assert loaded(folder, 200).info.tokens_per_step == 400
    with pytest.raises(SettingError, match=r"^tokens_per_frame must be at most 200 for this checkpoint, got 201$"):
        loaded(folder, 201)


@pytest.mark.parametrize("architecture", [Gemma4(), Gemma4Unified()], ids=str)
def test_gemma_4_has_the_budgets_of_its_processor(architecture: Architecture, tmp_path: Path) -> None:
    folder = architecture.write(tmp_path / "model")
    for asked in (70, 280):
        model = loaded(folder, asked)
        rows, columns = model.token_grid(1080, 1920)
        assert asked / 2 < rows * columns <= asked == model.info.tokens_per_step
    with pytest.raises(
        SettingError, match=r"^tokens_per_frame must be one of 70, 140, 280, 560, 1120 for Gemma 4, got 100$"
    ):
        loaded(folder, 100)


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=str)
def test_every_architecture_has_a_choice_or_refuses_it(architecture: Architecture, tmp_path: Path) -> None:
    folder = architecture.write(tmp_path / "model")
    adapter = type(loaded(folder, None))
    if not adapter.takes_any_frame_size:
        refused = (
            f"^tokens_per_frame must be left out: {adapter.model_class.__name__} takes frames of one size only, got 1$"
        )
        with pytest.raises(SettingError, match=refused):
            loaded(folder, 1)
    elif not issubclass(adapter, Gemma4Adapter):
        assert loaded(folder, 1).info.tokens_per_step <= loaded(folder, 1).info.frames_per_step
