"""What it would save to compute the fixed beginning of the prompt once, and what it costs.

    python -m benchmarks.prefix            # 1,568 and 3,136 tokens, about two minutes
    python -m benchmarks.prefix --quick    # to see that it runs

The chat's opening is the same for every clip, so its keys and values could be kept: 14 of 6,300 tokens. But a prompt
that stands behind kept keys is no longer square: the fast causal kernel takes only square ones, and an explicit mask
of length x length is needed. Both ways read the same prompt into the same decoder, in turns.
"""

import argparse
import statistics
import time

import torch
from transformers import Qwen2Config, Qwen2Model

from benchmarks.rig.machine import heading, table
from keepsight.models.decoding.kv_cache import roomy_cache


def decoder() -> Qwen2Model:
    """A decoder with a 7B's heads, fewer and narrower layers, random weights."""
    torch.manual_seed(0)
    config = Qwen2Config(  # type: ignore[call-arg]  # configurations take more than they declare
        vocab_size=64,
        hidden_size=448,
        intermediate_size=2368,
        num_hidden_layers=8,
        num_attention_heads=28,
        num_key_value_heads=4,
        attn_implementation="sdpa",
    )
    return Qwen2Model(config).eval()


@torch.inference_mode()
def whole(model: Qwen2Model, prompt: torch.Tensor) -> float:
    """Seconds to read the prompt in one go."""
    started = time.perf_counter()
    model(inputs_embeds=prompt, past_key_values=roomy_cache(model.config, 128), use_cache=True)
    return time.perf_counter() - started


@torch.inference_mode()
def behind(model: Qwen2Model, prompt: torch.Tensor, num_fixed: int) -> float:
    """Seconds to read the prompt behind its beginning, which was read before."""
    cache = roomy_cache(model.config, prompt.shape[1] + 128)
    model(inputs_embeds=prompt[:, :num_fixed], past_key_values=cache, use_cache=True)
    started = time.perf_counter()
    model(inputs_embeds=prompt[:, num_fixed:], past_key_values=cache, use_cache=True)
    return time.perf_counter() - started


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tokens", type=int, nargs="+", default=[1568, 3136])
    parser.add_argument("--fixed", type=int, default=14)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if options.quick:
        options.tokens, options.repeats = [256], 1
    model = decoder()
    rows = []
    for num_tokens in options.tokens:
        prompt = torch.randn(1, num_tokens, model.config.hidden_size)
        pairs = [(whole(model, prompt), behind(model, prompt, options.fixed)) for _ in range(options.repeats + 1)][1:]
        alone, kept = (statistics.median(times) for times in zip(*pairs, strict=True))
        rows.append([f"{num_tokens:,}", f"{alone:.2f}", f"{kept:.2f}", f"{kept / alone:.2f} x"])
    note = f"8 layers of 448, 28 heads over 4, float32; {options.fixed} tokens kept; medians of {options.repeats}"
    columns = ["prompt tokens", "whole prompt s", "behind kept keys s", "ratio"]
    print("\n".join([*heading("cpu", note), *table(columns, rows)]))


if __name__ == "__main__":
    main()
