"""The stages of the recipe in order, and how one process runs them."""

import argparse
from collections.abc import Callable

import torch

from keepsight.toyworld.training import parallel
from keepsight.toyworld.training.copying_stage import train_copying
from keepsight.toyworld.training.loop import LoopSettings
from keepsight.toyworld.training.tower_stage import train_alignment, train_tower
from keepsight.toyworld.training.watching_stage import train_watching

STAGES: dict[str, Callable[[LoopSettings], int]] = {
    "copying": train_copying,
    "tower": train_tower,
    "alignment": train_alignment,
    "watching": train_watching,
}
"""In this order; `copying` and `tower` do not need each other and may run at the same time."""
STEPS = {"copying": 200, "tower": 1500, "alignment": 1000, "watching": 8400}
RATES = {"copying": 1e-3, "tower": 1e-3, "alignment": 1e-3, "watching": 1.2e-3}
HOLD_SHARES = {"watching": 0.8}
"""Share of a stage's steps at the peak rate, where it does not fall from the start."""


def run_stages(rank: int, arguments: argparse.Namespace) -> None:
    """Run the wanted stages as one of the processes."""
    torch.set_num_threads(arguments.threads)
    parallel.join(rank, arguments.processes, arguments.port)
    for name in arguments.stage or list(STAGES):
        settings = LoopSettings(
            folder=arguments.folder,
            name=name,
            num_steps=arguments.steps or STEPS[name],
            learning_rate=RATES[name],
            hold_share=HOLD_SHARES.get(name, 0.0),
            max_minutes=arguments.max_minutes,
        )
        STAGES[name](settings)
