"""From which size on a model gains from a second thread on the CPU.

    python -m benchmarks.threads           # under a minute on two free cores
    python -m benchmarks.threads --quick   # seconds, to see that it runs

Models of random weights and rising width encode and describe a clip of 16 frames behind a full memory, 32 caption
tokens, with one thread and with as many as there are cores, in turns; medians. It is what `SMALL_MODEL_PARAMETERS` of
`keepsight.models.hardware.devices` has to be held against. What wall time does not show: with one thread another core
is free for the next clip.
"""

import argparse
import os
from dataclasses import replace
from statistics import median

import numpy as np
import torch

from benchmarks.rig.machine import heading, table
from benchmarks.rig.measuring import Cost, measured
from benchmarks.rig.models import SHAPES, RandomModel, random_model
from keepsight.method.protocol import DescribeRequest, VisualInput

WIDTHS = (128, 256, 384, 512, 768)
CAPTION_TOKENS = 32


def describe(random: RandomModel, pictures: list[np.ndarray], num_threads: int) -> Cost:
    """One clip with a number of threads."""
    torch.set_num_threads(num_threads)
    with measured("cpu") as cost:
        tokens = random.adapter.encode(pictures)
        random.adapter.describe(VisualInput(tokens, tokens), DescribeRequest(max_new_tokens=CAPTION_TOKENS))
    return cost


def row(width: int, num_threads: int, repeats: int) -> list[str]:
    """One width."""
    shape = replace(SHAPES["small"], hidden=width, heads=width // 32, key_value_heads=4, intermediate=2 * width)
    random = random_model(f"random-{width}", "cpu", "float32", shape)
    side = shape.image_pixels
    pictures = list(np.random.default_rng(0).integers(0, 256, (16, side, side, 3), dtype=np.uint8))
    found: dict[int, list[Cost]] = {1: [], num_threads: []}
    for repeat in range(1 + repeats):
        for threads, costs in found.items():
            cost = describe(random, pictures, threads)
            costs += [cost] if repeat else []
    one, many = (median(cost.wall_seconds for cost in found[threads]) for threads in (1, num_threads))
    cpu_one, cpu_many = (median(cost.cpu_seconds for cost in found[threads]) for threads in (1, num_threads))
    ratios = [
        after.wall_seconds / before.wall_seconds for before, after in zip(found[1], found[num_threads], strict=True)
    ]
    weights = f"{random.adapter.info.num_parameters / 1e6:.1f}"
    times = [f"{1000 * seconds:.0f}" for seconds in (one, many, cpu_one, cpu_many)]
    return [f"{width}", weights, *times, f"{median(ratios):.2f}"]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="One thread against all, as a Markdown table.")
    parser.add_argument("--threads", type=int, default=max(2, os.cpu_count() or 2))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="the smallest width, one repeat")
    options = parser.parse_args()
    widths, repeats = (WIDTHS[:1], 1) if options.quick else (WIDTHS, options.repeats)
    rows = [row(width, options.threads, repeats) for width in widths]
    note = f"One thread against {options.threads}, 6 layers, float32, medians of {repeats}."
    columns = (
        "width",
        "M weights",
        "wall ms, 1",
        f"wall ms, {options.threads}",
        "CPU ms, 1",
        f"CPU ms, {options.threads}",
    )
    print("\n".join([*heading("cpu", note), *table((*columns, "wall ratio"), rows)]))


if __name__ == "__main__":
    main()
