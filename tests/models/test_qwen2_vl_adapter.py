"""Qwen2-VL's published files: a flat configuration and the tensors' older names; and steps that know no frame rate."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from keepsight.method.protocol import DescribeRequest
from keepsight.models.loading import load_model
from keepsight.settings import DESCRIBE_PROMPT
from tests.models.arch_qwen2_vl import Qwen2VL
from tests.models.architecture import random_frames
from tests.models.contract_pair import Pair


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return Pair(Qwen2VL(), Qwen2VL().write(tmp_path_factory.mktemp("model")))


@pytest.mark.parametrize("seconds", [(0.0, 0.5, 1.0, 1.5), (0.0, 8.0, 16.0, 24.0)], ids=["two-a-second", "slow"])
def test_steps_are_one_position_apart_at_any_frame_rate(pair: Pair, seconds: tuple[float, ...]) -> None:
    frames = random_frames(4)
    visual = pair.shown(pair.nothing, frames, seconds)
    prompt = pair.stock.prompt(DESCRIBE_PROMPT, 0, frames, seconds)
    times = pair.prompt_seen(visual, prompt).positions[0, prompt.clip].unique().tolist()
    assert times == [times[0], times[0] + 1]


def test_a_published_folder_is_read(pair: Pair, tmp_path: Path) -> None:
    """Decoder and tower side by side in the file, and the decoder's sizes at the top of config.json."""
    Qwen2VL().write(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    flat = config | config.pop("text_config") | {"model_type": "qwen2_vl", "tie_word_embeddings": False}
    flat["rope_scaling"] = {"type": "mrope", "mrope_section": [2, 1, 1]}
    flat["rope_theta"] = flat.pop("rope_parameters")["rope_theta"]
    del flat["layer_types"]
    flat["vision_config"]["model_type"] = "qwen2_vl"
    (tmp_path / "config.json").write_text(json.dumps(flat))
    tensors = load_file(pair.folder / "model.safetensors")
    older = {
        name.replace("model.language_model.", "model.").replace("model.visual.", "visual."): value
        for name, value in tensors.items()
    }
    assert {name.split(".")[0] for name in older} == {"visual", "model", "lm_head"}
    save_file(older, tmp_path / "model.safetensors", metadata={"format": "pt"})
    model = load_model(tmp_path, device="cpu")
    visual = pair.shown(pair.memory(3), random_frames(3))
    one, other = (each.describe(visual, DescribeRequest(max_new_tokens=4)) for each in (pair.model, model))
    assert model.info.num_parameters == pair.model.info.num_parameters
    assert model.info.context_window_tokens == pair.model.info.context_window_tokens
    assert one.caption == other.caption
    assert torch.equal(one.scores, other.scores)
