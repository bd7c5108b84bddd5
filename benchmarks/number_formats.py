"""From which size on a model is faster in bfloat16 than in float32 on this CPU.

    python -m benchmarks.number_formats             # an hour on two free cores
    python -m benchmarks.number_formats --frames 2  # some minutes
    python -m benchmarks.number_formats --quick     # seconds, to see that it runs

Models of random weights, from the bundled one's size to LLaVA-OneVision 0.5B, encode a clip and describe it behind a
memory of as many tokens, 32 caption tokens, in both formats in turns. Ratios are medians of pairs; that of CPU time
depends less on what else runs. `keepsight.models.load_options.LARGE_MODEL_PARAMETERS` must be held against it. The last
column is the share of the clip's CPU time that the check for NaN and infinity takes (`keepsight.models.finite`).
"""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import median

import numpy as np
import torch
from torch import Tensor

from benchmarks.rig.machine import heading, table
from benchmarks.rig.measuring import Cost, measured
from benchmarks.rig.models import SHAPES, RandomModel, Shape, random_model
from keepsight.method.protocol import DescribeRequest, VisualInput
from keepsight.models.finite import check_finite, greedy_ids
from keepsight.models.hardware.devices import settle_threads
from keepsight.models.hardware.number_formats import DTYPES, has_bfloat16

CAPTION_TOKENS = 32
FORMATS = ("float32", "bfloat16")
ENCODING, DESCRIBING, BOTH = slice(0, 1), slice(1, 2), slice(None)
"""Parts of a clip's costs."""


def widened(width: int) -> Shape:
    """A shape of the bundled model's depth and another width, tower included."""
    return replace(
        SHAPES["small"],
        hidden=width,
        heads=width // 32,
        intermediate=2 * width,
        tower_hidden=width * 5 // 8,
        tower_heads=width // 64,
        tower_intermediate=2 * width,
    )


MODELS = {
    "as tiny": SHAPES["small"],
    **{f"width {width}": widened(width) for width in (512, 768, 1024, 1536)},
    "256m": SHAPES["256m"],
    "0.5b, 4 of 24 layers": replace(SHAPES["0.5b"], layers=4, tower_layers=4),
    "0.5b": SHAPES["0.5b"],
}


def clip(random: RandomModel, pictures: list[np.ndarray], dtype: str) -> tuple[Cost, Cost]:
    """Cost of encoding and of describing a clip in a format."""
    random.stock.to(DTYPES[dtype])
    with measured("cpu") as encoding:
        tokens = random.adapter.encode(pictures)
    with measured("cpu") as describing:
        random.adapter.describe(VisualInput(tokens, tokens), DescribeRequest(max_new_tokens=CAPTION_TOKENS))
    return encoding, describing


def seconds_of(work: Callable[[], object]) -> float:
    """CPU seconds of one call, of a hundred."""
    work()
    began = time.process_time()
    for _ in range(100):
        work()
    return (time.process_time() - began) / 100


def guard_seconds(tokens: Tensor, logits: Tensor) -> float:
    """CPU seconds of a clip's checks: visual tokens once, and each pass' logits beyond a plain argmax."""
    per_pass = seconds_of(lambda: greedy_ids(logits)) - seconds_of(lambda: logits.argmax(dim=-1))
    check = seconds_of(lambda: check_finite(tokens, "visual tokens", tokens.dtype))
    return check + (CAPTION_TOKENS + 1) * max(0.0, per_pass)


def row(name: str, num_frames: int, repeats: int) -> list[str]:
    """One model."""
    shape = MODELS[name]
    random = random_model(name, "cpu", "float32", shape)
    settle_threads("cpu", random.adapter.info.num_parameters)
    side = shape.image_pixels
    pictures = list(np.random.default_rng(0).integers(0, 256, (num_frames, side, side, 3), dtype=np.uint8))
    found: dict[str, list[tuple[Cost, Cost]]] = {dtype: [] for dtype in FORMATS}
    for dtype in FORMATS:
        clip(random, pictures[:1], dtype)  # so that no first pair has to set anything up
    for _ in range(repeats):
        for dtype, costs in found.items():
            costs.append(clip(random, pictures, dtype))
    num_tokens = random.adapter.info.num_visual_tokens(num_frames)
    guard = guard_seconds(torch.randn(num_tokens, shape.hidden), torch.randn(1, shape.vocabulary))
    cpu = [median(seconds(cost, "cpu_seconds") for cost in costs) for costs in found.values()]
    ratios = [
        median(
            seconds(after[parts], clock) / seconds(before[parts], clock)
            for before, after in zip(*found.values(), strict=True)
        )
        for parts, clock in (
            (ENCODING, "cpu_seconds"),
            (DESCRIBING, "cpu_seconds"),
            (BOTH, "cpu_seconds"),
            (BOTH, "wall_seconds"),
        )
    ]
    return [
        name,
        f"{random.adapter.info.num_parameters / 1e6:.1f}",
        *(f"{1000 * one:.0f}" for one in cpu),
        *(f"{ratio:.2f}" for ratio in ratios),
        f"{100 * guard / cpu[0]:.2g} %",
    ]


def seconds(costs: Sequence[Cost], clock: str) -> float:
    """Sum over the parts of a clip."""
    return float(sum(getattr(cost, clock) for cost in costs))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="bfloat16 against float32 on the CPU, as a Markdown table.")
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS), metavar="NAME")
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="the smallest model, one repeat")
    options = parser.parse_args()
    names, repeats = (options.models[:1], 1) if options.quick else (options.models, options.repeats)
    rows = [row(name, options.frames, repeats) for name in names]
    multiplies = "multiplies bfloat16" if has_bfloat16(torch.device("cpu")) else "does not multiply bfloat16"
    note = f"Clips of {options.frames} frames, medians of {repeats}. This CPU {multiplies}."
    columns = (
        "model",
        "M weights",
        "CPU ms, float32",
        "CPU ms, bfloat16",
        "encode, CPU ratio",
        "describe, CPU ratio",
        "CPU ratio",
        "wall ratio",
        "guard",
    )
    print("\n".join([*heading("cpu", note), *table(columns, rows)]))


if __name__ == "__main__":
    main()
