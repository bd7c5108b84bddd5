"""What `keepsight models` says of architectures, against published sizes and the adapters."""

from pathlib import Path
from typing import Any

import pytest
import transformers
from transformers import CONFIG_MAPPING

from keepsight.models.architectures import ARCHITECTURES, SupportedArchitecture
from keepsight.models.footprint import describe_footprint
from keepsight.models.registry import ADAPTERS, adapter_class

SIGLIP_SO400M = {"hidden_size": 1152, "intermediate_size": 4304, "num_attention_heads": 16}
GLM_TOWER = {
    "depth": 24,
    "hidden_size": 1536,
    "intermediate_size": 13_696,
    "num_heads": 12,
    "out_hidden_size": 4096,
    "image_size": 336,
    "patch_size": 14,
}
QWEN3_TOWER = {"depth": 24, "hidden_size": 1024, "intermediate_size": 4096, "num_heads": 16}
PUBLISHED: dict[str, dict[str, Any]] = {
    "gemma3": {
        "mm_tokens_per_image": 256,
        "vision_config": SIGLIP_SO400M
        | {"num_hidden_layers": 27, "image_size": 896, "patch_size": 14, "vision_use_head": False},
        "text_config": {
            "vocab_size": 262_208,
            "hidden_size": 2560,
            "intermediate_size": 10_240,
            "num_hidden_layers": 34,
            "num_attention_heads": 8,
            "num_key_value_heads": 4,
            "head_dim": 256,
        },
    },
    "gemma4": {
        "vision_config": {
            "hidden_size": 768,
            "intermediate_size": 3072,
            "num_hidden_layers": 16,
            "num_attention_heads": 12,
            "num_key_value_heads": 12,
            "head_dim": 64,
            "patch_size": 16,
            "pooling_kernel_size": 3,
            "position_embedding_size": 10_240,
            "use_clipped_linears": True,
        },
        "audio_config": {
            "hidden_size": 1024,
            "num_hidden_layers": 12,
            "num_attention_heads": 8,
            "subsampling_conv_channels": [128, 32],
            "conv_kernel_size": 5,
            "output_proj_dims": 1536,
            "use_clipped_linears": True,
        },
        "text_config": {
            "vocab_size": 262_144,
            "vocab_size_per_layer_input": 262_144,
            "hidden_size": 1536,
            "hidden_size_per_layer_input": 256,
            "intermediate_size": 6144,
            "use_double_wide_mlp": True,
            "num_hidden_layers": 35,
            "num_kv_shared_layers": 20,
            "num_attention_heads": 8,
            "num_key_value_heads": 1,
            "head_dim": 256,
            "global_head_dim": 512,
            "layer_types": (["sliding_attention"] * 4 + ["full_attention"]) * 7,
        },
    },
    "gemma4_unified": {
        "vision_config": {"patch_size": 16, "pooling_kernel_size": 3, "mm_embed_dim": 3840, "mm_posemb_size": 1120},
        "audio_config": {"audio_embed_dim": 640, "output_proj_dims": 640},
        "text_config": {
            "vocab_size": 262_144,
            "hidden_size": 3840,
            "intermediate_size": 15_360,
            "num_hidden_layers": 48,
            "num_attention_heads": 16,
            "num_key_value_heads": 8,
            "num_global_key_value_heads": 1,
            "head_dim": 256,
            "global_head_dim": 512,
            "attention_k_eq_v": True,
        },
    },
    "glm4v": {
        "tie_word_embeddings": False,
        "vision_config": GLM_TOWER,
        "text_config": {
            "vocab_size": 151_552,
            "hidden_size": 4096,
            "intermediate_size": 13_696,
            "num_hidden_layers": 40,
            "num_attention_heads": 32,
            "num_key_value_heads": 2,
        },
    },
    "glm4v_moe": {
        "tie_word_embeddings": False,
        "vision_config": GLM_TOWER,
        "text_config": {
            "vocab_size": 151_552,
            "hidden_size": 4096,
            "intermediate_size": 10_944,
            "num_hidden_layers": 46,
            "num_attention_heads": 96,
            "num_key_value_heads": 8,
            "head_dim": 128,
            "moe_intermediate_size": 1408,
            "n_routed_experts": 128,
            "n_shared_experts": 1,
            "first_k_dense_replace": 1,
        },
    },
    "internvl": {
        "tie_word_embeddings": False,
        "vision_config": {"attention_bias": True},
        "text_config": {
            "model_type": "qwen2",
            "vocab_size": 151_674,
            "hidden_size": 896,
            "intermediate_size": 4864,
            "num_hidden_layers": 24,
            "num_attention_heads": 14,
            "num_key_value_heads": 2,
            "tie_word_embeddings": False,
        },
    },
    "llava_onevision": {
        "tie_word_embeddings": False,
        "vision_config": SIGLIP_SO400M
        | {
            "model_type": "siglip_vision_model",
            "num_hidden_layers": 26,
            "image_size": 384,
            "patch_size": 14,
            "vision_use_head": False,
        },
        "text_config": {
            "model_type": "qwen2",
            "vocab_size": 152_000,
            "hidden_size": 3584,
            "intermediate_size": 18_944,
            "num_hidden_layers": 28,
            "num_attention_heads": 28,
            "num_key_value_heads": 4,
            "tie_word_embeddings": False,
        },
    },
    "qwen2_5_vl": {
        "tie_word_embeddings": True,
        "vision_config": {
            "depth": 32,
            "hidden_size": 1280,
            "intermediate_size": 3420,
            "num_heads": 16,
            "out_hidden_size": 2048,
            "patch_size": 14,
        },
        "text_config": {
            "vocab_size": 151_936,
            "hidden_size": 2048,
            "intermediate_size": 11_008,
            "num_hidden_layers": 36,
            "num_attention_heads": 16,
            "num_key_value_heads": 2,
            "tie_word_embeddings": True,
        },
    },
    "qwen2_vl": {
        "tie_word_embeddings": True,
        "vision_config": {"depth": 32, "embed_dim": 1280, "hidden_size": 1536, "mlp_ratio": 4, "num_heads": 16},
        "vocab_size": 151_936,
        "hidden_size": 1536,
        "intermediate_size": 8960,
        "num_hidden_layers": 28,
        "num_attention_heads": 12,
        "num_key_value_heads": 2,
    },
    "qwen3_5": {
        "tie_word_embeddings": False,
        "vision_config": {
            "depth": 27,
            "hidden_size": 1152,
            "intermediate_size": 4304,
            "num_heads": 16,
            "out_hidden_size": 4096,
            "num_position_embeddings": 2304,
        },
        "text_config": {
            "vocab_size": 248_320,
            "hidden_size": 4096,
            "intermediate_size": 12_288,
            "num_hidden_layers": 32,
            "num_attention_heads": 16,
            "num_key_value_heads": 4,
            "head_dim": 256,
            "layer_types": (["linear_attention"] * 3 + ["full_attention"]) * 8,
            "linear_num_key_heads": 16,
            "linear_num_value_heads": 32,
            "linear_key_head_dim": 128,
            "linear_value_head_dim": 128,
            "tie_word_embeddings": False,
        },
    },
    "qwen3_5_moe": {
        "tie_word_embeddings": False,
        "vision_config": {
            "depth": 27,
            "hidden_size": 1152,
            "intermediate_size": 4304,
            "num_heads": 16,
            "out_hidden_size": 2048,
            "num_position_embeddings": 2304,
        },
        "text_config": {
            "vocab_size": 248_320,
            "hidden_size": 2048,
            "moe_intermediate_size": 512,
            "shared_expert_intermediate_size": 512,
            "num_experts": 256,
            "num_experts_per_tok": 8,
            "num_hidden_layers": 40,
            "num_attention_heads": 16,
            "num_key_value_heads": 2,
            "head_dim": 256,
            "layer_types": (["linear_attention"] * 3 + ["full_attention"]) * 10,
            "linear_num_key_heads": 16,
            "linear_num_value_heads": 32,
            "linear_key_head_dim": 128,
            "linear_value_head_dim": 128,
            "tie_word_embeddings": False,
        },
    },
    "qwen3_vl": {
        "tie_word_embeddings": True,
        "vision_config": QWEN3_TOWER
        | {"out_hidden_size": 2048, "deepstack_visual_indexes": [5, 11, 17], "num_position_embeddings": 2304},
        "text_config": {
            "vocab_size": 151_936,
            "hidden_size": 2048,
            "intermediate_size": 6144,
            "num_hidden_layers": 28,
            "num_attention_heads": 16,
            "num_key_value_heads": 8,
            "head_dim": 128,
            "tie_word_embeddings": True,
        },
    },
    "qwen3_vl_moe": {
        "tie_word_embeddings": False,
        "vision_config": {
            "depth": 27,
            "hidden_size": 1152,
            "intermediate_size": 4304,
            "num_heads": 16,
            "out_hidden_size": 2048,
            "deepstack_visual_indexes": [8, 16, 24],
            "num_position_embeddings": 2304,
        },
        "text_config": {
            "vocab_size": 151_936,
            "hidden_size": 2048,
            "intermediate_size": 6144,
            "moe_intermediate_size": 768,
            "num_experts": 128,
            "num_experts_per_tok": 8,
            "num_hidden_layers": 48,
            "num_attention_heads": 32,
            "num_key_value_heads": 4,
            "head_dim": 128,
            "tie_word_embeddings": False,
        },
    },
    "smolvlm": {
        "tie_word_embeddings": False,
        "scale_factor": 4,
        "vision_config": {
            "hidden_size": 768,
            "intermediate_size": 3072,
            "num_hidden_layers": 12,
            "num_attention_heads": 12,
            "image_size": 512,
            "patch_size": 16,
        },
        "text_config": {
            "model_type": "llama",
            "vocab_size": 49_280,
            "hidden_size": 960,
            "intermediate_size": 2560,
            "num_hidden_layers": 32,
            "num_attention_heads": 15,
            "num_key_value_heads": 5,
            "head_dim": 64,
            "tie_word_embeddings": False,
        },
    },
}
"""Sizes in the config.json of each first example; classes' defaults are left out."""


def test_every_adapter_is_listed() -> None:
    assert [known.model_type for known in ARCHITECTURES] == list(ADAPTERS)


@pytest.mark.parametrize("known", ARCHITECTURES, ids=lambda known: known.model_type)
def test_what_is_said_of_the_adapter_is_so(known: SupportedArchitecture) -> None:
    adapter: Any = adapter_class(known.model_type)
    assert adapter.model_class is getattr(transformers, known.model_class)
    assert known.supports_kv_retrieval == hasattr(adapter, "language_side")
    assert known.examples
    assert (known.num_parameters is None) == (known.memory_bytes is None) == (known.model_type not in PUBLISHED)


@pytest.mark.parametrize(
    "known", [known for known in ARCHITECTURES if known.model_type in PUBLISHED], ids=lambda known: known.model_type
)
def test_figures_follow_from_the_published_sizes(known: SupportedArchitecture) -> None:
    config = CONFIG_MAPPING[known.model_type](**PUBLISHED[known.model_type])
    adapter: Any = adapter_class(known.model_type)
    shape = adapter.shape(config, {})
    assert shape.num_parameters == known.num_parameters
    assert shape.tokens_per_step == known.tokens_per_frame * shape.frames_per_step
    batch = adapter.frames_per_batch or 16
    assert describe_footprint(shape, bytes_per_value=2, frames_per_batch=batch).total_bytes == known.memory_bytes


def test_the_page_says_the_memory_that_the_command_says() -> None:
    page = (Path(__file__).parents[2] / "docs" / "real-models.md").read_text(encoding="utf-8")
    (known,) = (known for known in ARCHITECTURES if known.model_type == "llava_onevision")
    assert known.memory_bytes is not None
    name = known.examples[0].partition("/")[2]
    assert f"| `{name}` | {known.memory_bytes / 1e9:.1f} GB, " in page


LLAVA_HALF_BILLION = {
    "hidden_size": 896,
    "intermediate_size": 4864,
    "num_hidden_layers": 24,
    "num_attention_heads": 14,
    "num_key_value_heads": 2,
    "tie_word_embeddings": True,
}


def test_figures_of_other_examples_follow_from_their_published_sizes() -> None:
    published = PUBLISHED["llava_onevision"]
    sizes = {**published, "text_config": published["text_config"] | LLAVA_HALF_BILLION}
    shape = adapter_class("llava_onevision").shape(CONFIG_MAPPING["llava_onevision"](**sizes), {})
    (known,) = (known for known in ARCHITECTURES if known.model_type == "llava_onevision")
    expected = describe_footprint(shape, bytes_per_value=2).total_bytes
    assert known.memory == {known.examples[0]: known.memory_bytes, known.examples[1]: expected}
    others = [other.memory for other in ARCHITECTURES if other.model_type != "llava_onevision"]
    assert all(set(memory) <= {known.examples[0] for known in ARCHITECTURES} for memory in others)
