"""InternVL3.5's decoders: a head of its own that the configuration does not tell of, experts, and sinks."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import InternVLConfig, PreTrainedTokenizerFast

from keepsight.errors import UnsupportedModelError
from keepsight.method.protocol import DescribeRequest
from keepsight.models.loading import load_model
from keepsight.models.registry import adapter_class
from tests.models.arch_internvl3_5 import InternVL35
from tests.models.architecture import random_frames
from tests.models.contract_pair import Pair


def test_the_head_is_the_one_in_the_file(tmp_path: Path) -> None:
    pair = Pair(InternVL35(), InternVL35().write(tmp_path))
    tensors = load_file(tmp_path / "model.safetensors")
    assert "tie_word_embeddings" not in (tmp_path / "config.json").read_text()
    head, embeddings = (tensors[f"language_model.{name}.weight"] for name in ("lm_head", "model.embed_tokens"))
    assert torch.equal(pair.model._language.head.weight, head)
    assert torch.equal(pair.model._language.embedding.weight, embeddings)
    assert not torch.equal(head, embeddings)


def test_the_published_1b_has_as_many_weights_as_its_file() -> None:
    """OpenGVLab/InternVL3_5-1B-HF, whose file has 1,060,897,792 weights; the head is said to be its own here."""
    decoder = {
        "model_type": "qwen3",
        "vocab_size": 151_936,
        "hidden_size": 1024,
        "intermediate_size": 3072,
        "num_hidden_layers": 28,
        "num_attention_heads": 16,
        "num_key_value_heads": 8,
        "head_dim": 128,
    }
    vision = {"attention_bias": True}
    config = InternVLConfig(text_config=decoder, vision_config=vision, tie_word_embeddings=False)
    assert adapter_class("internvl").shape(config, {}).num_parameters == 1_060_897_792


class WithExperts(InternVL35):
    def config(self, tokenizer: PreTrainedTokenizerFast, num_layers: int, window: int) -> InternVLConfig:
        sizes = super().config(tokenizer, num_layers, window).to_dict()
        experts = {"num_experts": 6, "num_experts_per_tok": 2, "moe_intermediate_size": 24}
        sizes["text_config"] |= experts | {"model_type": "qwen3_moe"}
        return InternVLConfig(**sizes)


def test_a_decoder_with_experts_scores_as_the_stock_one(tmp_path: Path) -> None:
    pair = Pair(WithExperts(), WithExperts().write(tmp_path))
    frames = random_frames(3)
    visual = pair.shown(pair.memory(4), frames)
    description = pair.model.describe(visual, DescribeRequest(max_new_tokens=5))
    reply, scores = pair.expected(visual, frames, 5)
    assert description.caption == pair.stock.text(reply)
    torch.testing.assert_close(description.scores.double(), scores, rtol=1e-5, atol=1e-8)


def test_a_decoder_with_sinks_is_refused_before_its_weights_are_read(tmp_path: Path) -> None:
    folder = InternVL35().write(tmp_path)
    config = json.loads((folder / "config.json").read_text())
    config["text_config"] = {"model_type": "gpt_oss", "hidden_size": 32, "num_hidden_layers": 2}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").unlink()
    with pytest.raises(UnsupportedModelError) as refused:
        load_model(folder, device="cpu")
    assert str(refused.value) == (
        "decoder of an InternVL model must have attention without sinks, got gpt_oss; choose a model with a Qwen "
        "decoder, such as OpenGVLab/InternVL3_5-8B-HF"
    )
