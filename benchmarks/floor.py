"""The least time that describing a clip can take: arithmetic and bytes over the hardware's rates. Measures nothing.

    python -m benchmarks.floor                          # the 7B on an H100: 989 TFLOP/s in half precision, 3.35 TB/s
    python -m benchmarks.floor --shape 0.5b --tflops 312 --gigabytes 2039   # an A100

Counted for a clip of 16 frames: the frames through the vision tower, one pass over a prompt of 6,300 tokens (as many
tokens of memory as of the clip, and the chat around them), and 100 passes over one caption token each; that of several
clips is read and multiplied together. A part takes its arithmetic or its bytes, whichever takes longer. What real
kernels reach of that, activations, launches and everything outside the model are not counted, so this is a bound.
"""

import argparse

from benchmarks.rig.floor import ClipArithmetic, Rates
from benchmarks.rig.machine import table
from benchmarks.rig.models import SHAPES, config_of

FRAMES, PROMPT_TOKENS, CAPTION_TOKENS, CLIP_SECONDS = 16, 6_300, 100, 32.0


def part_rows(arithmetic: ClipArithmetic, rates: Rates) -> list[list[str]]:
    """Operations, bytes and seconds of the parts of one clip alone."""
    middle = PROMPT_TOKENS + CAPTION_TOKENS / 2
    parts = {
        f"{FRAMES} frames through the tower": arithmetic.encoding(FRAMES),
        f"prompt of {PROMPT_TOKENS:,} tokens": arithmetic.prompt(1, PROMPT_TOKENS),
        f"{CAPTION_TOKENS} caption tokens": arithmetic.step(1, middle).times(CAPTION_TOKENS),
    }
    return [
        [
            name,
            f"{work.flops / 1e12:,.1f}",
            f"{work.num_bytes / 1e9:,.1f}",
            f"{1000 * work.flops / rates.flops:,.1f}",
            f"{1000 * work.num_bytes / rates.bytes_a_second:,.1f}",
        ]
        for name, work in parts.items()
    ]


def batch_row(arithmetic: ClipArithmetic, rates: Rates, batch: int, value_bytes: int) -> list[str]:
    """Seconds a clip where so many are described together."""
    middle = PROMPT_TOKENS + CAPTION_TOKENS / 2
    encoding = arithmetic.encoding(FRAMES).seconds(rates)
    prompt = arithmetic.prompt(batch, PROMPT_TOKENS).seconds(rates) / batch
    caption = CAPTION_TOKENS * arithmetic.step(batch, middle).seconds(rates) / batch
    total = encoding + prompt + caption
    weights = value_bytes * (arithmetic.block_weights + 2 * arithmetic.head_weights + arithmetic.tower_weights)
    memory = weights + batch * (PROMPT_TOKENS + CAPTION_TOKENS) * arithmetic.key_value_bytes
    cells = [f"{1000 * seconds:.1f}" for seconds in (encoding, prompt, caption, total)]
    return [f"{batch}", *cells, f"{batch * total:.2f}", f"{CLIP_SECONDS / total:,.0f}", f"{memory / 1e9:.1f}"]


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description="The least time that describing a clip can take.")
    parser.add_argument("--shape", choices=sorted(SHAPES), default="7b")
    parser.add_argument("--tflops", type=float, default=989.0, help="10^12 operations a second")
    parser.add_argument("--gigabytes", type=float, default=3350.0, help="10^9 bytes a second")
    parser.add_argument("--value-bytes", type=int, default=2, help="of weights, keys and values")
    parser.add_argument("--quick", action="store_true", help="as without: it takes seconds")
    options = parser.parse_args()
    arithmetic = ClipArithmetic(config_of(options.shape), options.value_bytes)
    rates = Rates(options.tflops * 1e12, options.gigabytes * 1e9)
    lines = table(("part, one clip alone", "TFLOP", "GB", "arithmetic ms", "bytes ms"), part_rows(arithmetic, rates))
    columns = ("clips together", "encoding ms per clip", "prompt", "caption", "all", "whole batch s", "streams", "GB")
    batches = (1, 2, 4, 8, 16, 32, 64)
    lines += table(columns, [batch_row(arithmetic, rates, batch, options.value_bytes) for batch in batches])
    print("\n".join(lines))


if __name__ == "__main__":
    main()
