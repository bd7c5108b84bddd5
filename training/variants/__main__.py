"""Train variants, keep their weights, and compare them: `python -m training.variants --help`."""

import argparse
import sys
import time
from pathlib import Path

import torch

from training.architecture import QWEN2_5_VL
from training.loop import LoopSettings
from training.reading import Reader
from training.variants.folders import make_folder, pack
from training.variants.rules import VARIANTS
from training.variants.space import SPACE_VARIANTS
from training.variants.space_reader import ideal_reader
from training.variants.space_stage import train_space
from training.variants.space_table import make_space_table
from training.variants.space_tokens import axis_effects, readable_places
from training.variants.stage import STAGE, bundled_model, train_variant
from training.variants.table import DEFAULT_COLUMNS, TableSettings, make_tables

RUNS = Path("runs/variants")
NUM_STEPS, LEARNING_RATE = 500, 4e-4


def _train(arguments: argparse.Namespace) -> None:
    settings = LoopSettings(
        folder=arguments.folder or RUNS / arguments.variant,
        name=STAGE,
        num_steps=arguments.steps,
        learning_rate=arguments.rate,
        warmup_steps=20,
        max_minutes=arguments.max_minutes,
    )
    train = train_space if arguments.variant in SPACE_VARIANTS else train_variant
    steps = train(settings, arguments.variant)
    print(f"{arguments.variant}: {steps} steps, {time.process_time() / 60:.1f} CPU minutes")  # noqa: T201


def _pack(arguments: argparse.Namespace) -> None:
    steps = pack(arguments.folder or RUNS / arguments.variant, arguments.variant, arguments.out)
    print(f"{arguments.variant}: weights after {steps} steps")  # noqa: T201


def _folder(arguments: argparse.Namespace) -> None:
    make_folder(arguments.variant, arguments.out)
    print(f"{arguments.out}: the bundled model with the decoder of {arguments.variant}")  # noqa: T201


def _table(arguments: argparse.Namespace) -> None:
    settings = TableSettings(
        models=tuple(arguments.model),
        columns=tuple(arguments.column or DEFAULT_COLUMNS),
        num_videos=arguments.videos,
        minutes=arguments.minutes,
        processes=arguments.processes,
        cache_folder=arguments.out / "cache",
        head=arguments.head,
    )
    arguments.out.mkdir(parents=True, exist_ok=True)
    page = make_tables(settings)
    (arguments.out / "table.md").write_text(page)
    print(page)  # noqa: T201


def _space_table(arguments: argparse.Namespace) -> None:
    print(make_space_table(arguments.variant, arguments.videos, arguments.weights))  # noqa: T201


def _space_tokens(arguments: argparse.Namespace) -> None:
    variant = next(one for one in SPACE_VARIANTS.values() if one.bundled == arguments.model)
    model, reader = bundled_model(arguments.model), Reader(variant.architecture.tokenizer())
    found = {**readable_places(model), **ideal_reader(model, reader)}
    if variant.architecture is QWEN2_5_VL:
        found |= axis_effects(model, reader)
    for name, value in found.items():
        print(f"{name}: {value:.4g}")  # noqa: T201


def parser() -> argparse.ArgumentParser:
    """Command line."""
    words = argparse.ArgumentParser(prog="python -m training.variants", description=__doc__)
    commands = words.add_subparsers(required=True)
    train = commands.add_parser("train", help="train a variant, or resume")
    train.set_defaults(run=_train)
    train.add_argument("--steps", type=int, default=NUM_STEPS, help="optimiser steps in all")
    train.add_argument("--rate", type=float, default=LEARNING_RATE, help="peak learning rate")
    train.add_argument("--max-minutes", type=float, help="time limit, which ends with a checkpoint")
    keep = commands.add_parser("pack", help="keep the weights of a training")
    keep.set_defaults(run=_pack)
    keep.add_argument("--out", type=Path, help="folder of the weights; default: beside the code")
    for one in (train, keep):
        one.add_argument("--folder", type=Path, help="folder of the training; default: runs/variants/VARIANT")
    folder = commands.add_parser("folder", help="write the model folder of a variant, for --model")
    folder.set_defaults(run=_folder)
    folder.add_argument("--out", type=Path, required=True)
    for one in (train, keep, folder):
        one.add_argument("--variant", choices=(*VARIANTS, *SPACE_VARIANTS), required=True)
    table = commands.add_parser("table", help="compare models and selectors on the toy world")
    table.set_defaults(run=_table)
    table.add_argument("--model", action="append", required=True, help="bundled name or folder; may be repeated")
    table.add_argument(
        "--column", action="append", help="settings, such as selector=uniform, or `learned`; may be repeated"
    )
    table.add_argument("--head", type=Path, help="weights of the selecting head, for the column `learned`")
    table.add_argument("--videos", type=int, default=12)
    table.add_argument("--minutes", type=float, default=8.0)
    table.add_argument("--processes", type=int, default=1)
    table.add_argument("--out", type=Path, default=RUNS / "table")
    space = commands.add_parser("space-table", help="compare variants on held-out questions about places")
    space.set_defaults(run=_space_table)
    space.add_argument(
        "--variant", action="append", choices=list(SPACE_VARIANTS), required=True, help="may be repeated"
    )
    space.add_argument("--videos", type=int, default=100, help="stories of three clips")
    space.add_argument(
        "--weights", type=Path, help="folder with a folder of weights for each; default: beside the code"
    )
    tokens = commands.add_parser("space-tokens", help="what tokens and axes say of places, without training")
    tokens.set_defaults(run=_space_tokens)
    tokens.add_argument("--model", choices=["tiny", "tiny-qwen"], required=True)
    return words


def main(words: list[str] | None = None) -> None:
    """Do what the command line says."""
    arguments = parser().parse_args(words)
    torch.set_num_threads(1)
    arguments.run(arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
