"""Export a stage's checkpoint as a model folder: `python -m training.export --out FOLDER`."""

import argparse
from pathlib import Path

from torch import nn

from training.architecture import ARCHITECTURES, LLAVA_ONEVISION, Architecture
from training.loop import load_modules


def export(folder: Path, stage: str, out: Path, architecture: Architecture = LLAVA_ONEVISION) -> int:
    """Save the model of a stage's checkpoint in Hugging Face format; returns the stage's steps."""
    model = architecture.build_model()
    steps = load_modules(folder, stage, nn.ModuleDict({"model": model}))
    architecture.save_bundle(model, out)
    return steps


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("runs/tiny"))
    parser.add_argument("--stage", default="watching")
    parser.add_argument("--architecture", choices=list(ARCHITECTURES), default=LLAVA_ONEVISION.name)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    steps = export(arguments.folder, arguments.stage, arguments.out, ARCHITECTURES[arguments.architecture])
    print(f"{arguments.out}: the model after {steps} steps of {arguments.stage}")  # noqa: T201


if __name__ == "__main__":
    main()
