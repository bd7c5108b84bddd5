"""Training loop shared by all stages: learning rate, clipping, checkpoints, log, time limit, resuming."""

import json
import math
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from keepsight.errors import SettingError
from training import parallel
from training.architecture import LLAVA_ONEVISION, Architecture
from training.muon import Optimizers, adamw


@dataclass(frozen=True)
class LoopSettings:
    """Settings of one stage.

    Attributes:
        folder: folder for checkpoints and logs.
        name: name of the stage and stem of its files.
        num_steps: optimiser steps of the whole stage.
        learning_rate: peak rate.
        warmup_steps: linear rise to the peak.
        hold_share: share of the steps during which the rate stays at the peak.
        final_share: the rate at the last step as a share of the peak, reached on a cosine.
        checkpoint_seconds: time between checkpoints.
        seed: step `n` is seeded by `seed` and `n`, so a resumed run equals an uninterrupted one.
        max_minutes: time limit, after which a checkpoint is written; None for none.
        architecture: architecture to train.
        first_folder: training folder of the first model, whose decoder this one starts from; None to start from
            scratch.
    """

    folder: Path
    name: str
    num_steps: int
    learning_rate: float = 1e-3
    warmup_steps: int = 50
    hold_share: float = 0.0
    final_share: float = 0.05
    checkpoint_seconds: float = 120.0
    seed: int = 0
    max_minutes: float | None = None
    architecture: Architecture = LLAVA_ONEVISION
    first_folder: Path | None = None

    def __post_init__(self) -> None:
        if self.num_steps < 1:
            raise SettingError(f"num_steps must be at least 1, got {self.num_steps}")
        if not self.learning_rate > 0:
            raise SettingError(f"learning_rate must be above 0, got {self.learning_rate}")

    def share(self, step: int) -> float:
        """Learning rate of a step as a share of the peak."""
        if step < self.warmup_steps:
            return (step + 1) / self.warmup_steps
        falling_from = max(self.warmup_steps, self.hold_share * self.num_steps)
        done = min(max((step - falling_from) / max(self.num_steps - falling_from, 1), 0.0), 1.0)
        return self.final_share + (1 - self.final_share) * (1 + math.cos(math.pi * done)) / 2


StepFunction = Callable[[int, random.Random], tuple[Tensor, dict[str, float]]]
"""From the step's number and random numbers: the loss, and figures for the log (averaged between lines)."""


OptimizerFactory = Callable[[Iterable[Tensor], float], Optimizers]
"""From parameters and a peak rate: their optimizers."""


def run_stage(
    settings: LoopSettings,
    modules: torch.nn.ModuleDict,
    trained: Iterable[Tensor],
    step: StepFunction,
    optimize: OptimizerFactory = adamw,
) -> int:
    """Train until the stage's last step or the time limit; returns the total number of steps done.

    Checkpoints hold `modules`; the optimiser updates `trained`.
    """
    settings.folder.mkdir(parents=True, exist_ok=True)
    parameters = list(trained)
    optimizer = optimize(parameters, settings.learning_rate)
    first = _resume(settings, modules, optimizer)
    rank = parallel.rank()
    started = saved = time.monotonic()
    figures: dict[str, list[float]] = {}
    for number in range(first, settings.num_steps):
        loss, measured = step(number, random.Random(f"{settings.seed}/{settings.name}/{number}/{rank}"))
        loss.backward()
        parallel.share_gradients(parameters)
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step_at(settings.share(number))
        for name, value in {"loss": loss.item(), **measured}.items():
            figures.setdefault(name, []).append(value)
        now = time.monotonic()
        last = number + 1 == settings.num_steps
        out_of_time = parallel.all_agree(settings.max_minutes is not None and now - started > settings.max_minutes * 60)
        if (number + 1) % 25 == 0 or last or out_of_time:
            _log(settings, number + 1, now - started, figures)
            figures = {}
        if rank == 0 and (now - saved > settings.checkpoint_seconds or last or out_of_time):
            _save(settings, modules, optimizer, number + 1)
            saved = now
        if out_of_time:
            return number + 1
    return settings.num_steps


def checkpoint_path(folder: Path, name: str) -> Path:
    """Path of a stage's latest checkpoint."""
    return folder / f"{name}.pt"


def load_modules(folder: Path, name: str, modules: torch.nn.ModuleDict) -> int:
    """Load a stage's checkpoint into the given ones of its modules; returns its steps."""
    saved = torch.load(checkpoint_path(folder, name), weights_only=True)
    wanted = {name: value for name, value in saved["modules"].items() if name.split(".")[0] in modules}
    modules.load_state_dict(wanted)
    return int(saved["step"])


def _resume(settings: LoopSettings, modules: torch.nn.ModuleDict, optimizer: Optimizers) -> int:
    path = checkpoint_path(settings.folder, settings.name)
    if not path.exists():
        return 0
    saved = torch.load(path, weights_only=True)
    modules.load_state_dict(saved["modules"])
    optimizer.load_state_dict(saved["optimizer"])
    return int(saved["step"])


def _save(settings: LoopSettings, modules: torch.nn.ModuleDict, optimizer: Optimizers, step: int) -> None:
    path = checkpoint_path(settings.folder, settings.name)
    partial = path.with_suffix(".partial")
    torch.save({"step": step, "modules": modules.state_dict(), "optimizer": optimizer.state_dict()}, partial)
    partial.replace(path)  # a stop during writing leaves the previous checkpoint intact


def _log(settings: LoopSettings, step: int, seconds: float, figures: dict[str, list[float]]) -> None:
    means = {name: round(sum(values) / len(values), 4) for name, values in figures.items()}
    line = json.dumps({"step": step, "seconds": round(seconds, 1), **means})
    rank = parallel.rank()
    log_name = f"{settings.name}.{rank}.jsonl" if rank else f"{settings.name}.jsonl"
    with (settings.folder / log_name).open("a") as log:
        log.write(line + "\n")
