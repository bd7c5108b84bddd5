"""Writes what a stage has learned as a model folder: `python -m keepsight.toyworld.training.export --out FOLDER`."""

import argparse
from pathlib import Path

from torch import nn

from keepsight.toyworld.training.blueprint import build_model, save_bundle
from keepsight.toyworld.training.loop import load_modules


def export(folder: Path, stage: str, out: Path) -> int:
    """Save the model of a stage's checkpoint in Hugging Face format; returns the stage's steps."""
    model = build_model()
    steps = load_modules(folder, stage, nn.ModuleDict({"model": model}))
    save_bundle(model, out)
    return steps


def main() -> None:
    """Export from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("runs/tiny"))
    parser.add_argument("--stage", default="watching")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    steps = export(arguments.folder, arguments.stage, arguments.out)
    print(f"{arguments.out}: the model after {steps} steps of {arguments.stage}")  # noqa: T201


if __name__ == "__main__":
    main()
