"""Stages of the recipe in order, and running them in one process."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import torch

from keepsight.errors import SettingError
from training import parallel
from training.architecture import ARCHITECTURES, LLAVA_ONEVISION, QWEN2_5_VL
from training.copying_stage import train_copying
from training.loop import LoopSettings
from training.tower_stage import train_alignment, train_tower
from training.watching_stage import train_watching

STAGES: dict[str, Callable[[LoopSettings], int]] = {
    "copying": train_copying,
    "tower": train_tower,
    "alignment": train_alignment,
    "watching": train_watching,
}
"""In this order; `copying` and `tower` are independent and may run at the same time."""


@dataclass(frozen=True)
class StagePlan:
    """Length and learning rate of a stage.

    Attributes:
        num_steps: optimiser steps.
        learning_rate: peak rate.
        hold_share: share of the steps at the peak rate, if it does not decay from the start.
    """

    num_steps: int
    learning_rate: float
    hold_share: float = 0.0


PLANS: dict[str, dict[str, StagePlan]] = {
    LLAVA_ONEVISION.name: {
        "copying": StagePlan(200, 1e-3),
        "tower": StagePlan(1500, 1e-3),
        "alignment": StagePlan(1000, 1e-3),
        "watching": StagePlan(8400, 1.2e-3, hold_share=0.8),
    },
    QWEN2_5_VL.name: {
        "tower": StagePlan(500, 1e-3),
        "alignment": StagePlan(500, 1e-3),
        "watching": StagePlan(2000, 8e-4, hold_share=0.6),
    },
}
"""Stages of each architecture. The second starts from the first model's decoder, which already performs lookup."""


def run_stages(rank: int, arguments: argparse.Namespace) -> None:
    """Run the requested stages as one of the processes.

    Raises:
        SettingError: a stage does not belong to the architecture, or the first model is missing or superfluous.
    """
    plans = PLANS[arguments.architecture]
    wanted = arguments.stage or list(plans)
    if unknown := [name for name in wanted if name not in plans]:
        raise SettingError(
            f"the stage of {arguments.architecture} must be one of {', '.join(plans)}, got {unknown[0]!r}"
        )
    if (arguments.first_folder is None) != (arguments.architecture == LLAVA_ONEVISION.name):
        raise SettingError(
            f"{QWEN2_5_VL.name} needs the first model's folder, {LLAVA_ONEVISION.name} must not have one"
        )
    torch.set_num_threads(arguments.threads)
    parallel.join(rank, arguments.processes, arguments.port)
    for name in wanted:
        settings = LoopSettings(
            folder=arguments.folder,
            name=name,
            num_steps=arguments.steps or plans[name].num_steps,
            learning_rate=plans[name].learning_rate,
            hold_share=plans[name].hold_share,
            max_minutes=arguments.max_minutes,
            architecture=ARCHITECTURES[arguments.architecture],
            first_folder=arguments.first_folder,
        )
        STAGES[name](settings)
