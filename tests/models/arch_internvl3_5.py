"""InternVL3.5 in transformers' own format: InternVL3 on a Qwen3 decoder with a head of its own.

Published configurations leave `tie_word_embeddings` out, whose default in transformers is to tie.
"""

import json
from pathlib import Path

from transformers import InternVLConfig, PreTrainedTokenizerFast

from tests.models.arch_internvl import InternVL


class InternVL35(InternVL):
    variant = "internvl3_5"

    def config(self, tokenizer: PreTrainedTokenizerFast, num_layers: int, window: int) -> InternVLConfig:
        sizes = super().config(tokenizer, num_layers, window).to_dict()
        kept = ("vocab_size", "hidden_size", "intermediate_size", "num_attention_heads", "num_key_value_heads")
        sizes["text_config"] = {
            **{name: sizes["text_config"][name] for name in (*kept, "eos_token_id", "pad_token_id")},
            "model_type": "qwen3",
            "num_hidden_layers": num_layers,
            "max_position_embeddings": window,
            "head_dim": 12,
            "initializer_range": 0.2,
        }
        return InternVLConfig(**sizes | {"tie_word_embeddings": False})

    def write(self, folder: Path, *, seed: int = 0, num_layers: int = 4, window: int = 2048) -> Path:
        super().write(folder, seed=seed, num_layers=num_layers, window=window)
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        for part in (config, config["text_config"]):
            part.pop("tie_word_embeddings", None)
        (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
        return folder
