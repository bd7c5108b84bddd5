"""Ratios of one run, which mean the same on a machine that is busy or slow: what the history of benchmarks keeps."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Ratio:
    """One cost over another, measured in turns.

    Attributes:
        name: what over what, at which size; the same in every run.
        values: one for each repeat, greater than 0.
        higher_is_better: such as clips per minute over clips per minute; otherwise lower is.
    """

    name: str
    values: tuple[float, ...]
    higher_is_better: bool = False


def add_ratios_option(parser: argparse.ArgumentParser) -> None:
    """Add `--ratios FILE` to a benchmark's command line."""
    parser.add_argument("--ratios", type=Path, metavar="FILE", help="write the ratios there, as JSON lines")


def write_ratios(path: Path | None, ratios: Sequence[Ratio]) -> None:
    """Write ratios where `--ratios` says; nothing without it."""
    if path is not None:
        path.write_text("".join(json.dumps(asdict(ratio)) + "\n" for ratio in ratios), encoding="utf-8")


def read_ratios(path: Path) -> list[Ratio]:
    """What `write_ratios` wrote."""
    found = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [Ratio(one["name"], tuple(one["values"]), one["higher_is_better"]) for one in found]
