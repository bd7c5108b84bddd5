"""Runs the training recipe, or one stage of it: `python -m keepsight.toyworld.training --help`."""

import argparse
from collections.abc import Callable
from pathlib import Path

import torch

from keepsight.toyworld.training.copying_stage import train_copying
from keepsight.toyworld.training.loop import LoopSettings
from keepsight.toyworld.training.reading_stage import train_reading
from keepsight.toyworld.training.tower_stage import train_alignment, train_tower
from keepsight.toyworld.training.watching_stage import train_watching

STAGES: dict[str, Callable[[LoopSettings], int]] = {
    "copying": train_copying,
    "reading": train_reading,
    "tower": train_tower,
    "alignment": train_alignment,
    "watching": train_watching,
}
STEPS = {"copying": 500, "reading": 2500, "tower": 1500, "alignment": 700, "watching": 1600}
RATES = {"copying": 1e-3, "reading": 1e-3, "tower": 1e-3, "alignment": 1e-3, "watching": 8e-4}


def main() -> None:
    """Train, resuming from whatever checkpoints the folder holds."""
    parser = argparse.ArgumentParser(description="Train the bundled tiny model on the toy world.")
    parser.add_argument("--folder", type=Path, default=Path("runs/tiny"))
    parser.add_argument("--stage", choices=list(STAGES), action="append", help="only this stage; may be repeated")
    parser.add_argument("--steps", type=int, help="steps of the stage, instead of the recipe's")
    parser.add_argument("--max-minutes", type=float, help="stop each stage, with a checkpoint, after so long")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    for name in arguments.stage or list(STAGES):
        settings = LoopSettings(
            folder=arguments.folder,
            name=name,
            num_steps=arguments.steps or STEPS[name],
            learning_rate=RATES[name],
            max_minutes=arguments.max_minutes,
        )
        STAGES[name](settings)


if __name__ == "__main__":
    main()
