"""Plot the learning curves of the stages: `python -m training.curves --out curves.png`.

Needs matplotlib (the `train` extra).
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Panel:
    """One pair of axes: the figures it shows, of which log, and its title."""

    title: str
    log: str
    figures: tuple[str, ...]


PANELS = (
    Panel("copying: runs of 8 words", "copying", ("right",)),
    Panel("tower: its own heads", "tower", ("shape", "colour", "place")),
    Panel("alignment: the decoder's words", "alignment", ("shape", "colour", "place", "cell")),
    Panel("watching: whole replies", "watching", ("caption", "caption, past", "seen question", "live now")),
    Panel("watching: loss", "watching", ("watching loss", "reading loss")),
    Panel("reading: whole replies", "watching", ("where", "what last", "colour", "order", "how many", "now")),
    Panel(
        "inside: tokens of clips",
        "watching",
        (
            "watching, inner who",
            "watching, inner deed",
            "watching, inner content",
            "watching, inner when",
            "watching, inner asked next",
        ),
    ),
    Panel(
        "inside: tokens of journals and questions",
        "watching",
        (
            "reading, inner place",
            "reading, inner asked place",
            "reading, inner asked deed",
            "reading, inner asked first line",
            "reading, inner asked compared",
        ),
    ),
)
MOST_POINTS = 60
STYLES = ("-", "--", ":", "-.", (0, (5, 1)), (0, (1, 1)))


def read_log(path: Path) -> list[dict[str, float]]:
    """Lines of a log in order of steps; for steps repeated after a stop, the later ones."""
    by_step = {line["step"]: line for line in map(json.loads, path.read_text().splitlines())} if path.exists() else {}
    return [by_step[step] for step in sorted(by_step)]


def mean_over_processes(logs: Sequence[Sequence[dict[str, float]]], name: str) -> list[tuple[float, float]]:
    """Steps and values of a figure, averaged over the processes that logged it."""
    values: dict[float, list[float]] = {}
    for log in logs:
        for line in log:
            if name in line:
                values.setdefault(line["step"], []).append(line[name])
    return [(step, sum(found) / len(found)) for step, found in sorted(values.items())]


def smoothed(points: Sequence[tuple[float, float]], most: int = MOST_POINTS) -> list[tuple[float, float]]:
    """At most `most` points, each the mean of neighbouring ones."""
    size = -(-len(points) // most)
    groups = [points[start : start + size] for start in range(0, len(points), size)] if points else []
    return [(sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group)) for group in groups]


def draw(folder: Path, out: Path) -> None:
    """Plot all curves, distinguished by line style and colour."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(16, 7), layout="constrained")
    for axes, panel in zip(figure.subplots(2, 4).flat, PANELS, strict=True):
        logs = [read_log(path) for path in sorted(folder.glob(f"{panel.log}*.jsonl"))]
        for name, style in zip(panel.figures, STYLES, strict=False):
            points = smoothed(mean_over_processes(logs, name))
            axes.plot(*zip(*points, strict=True) if points else ([], []), linestyle=style, label=name)
        axes.set(title=panel.title, xlabel="step")
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
    figure.savefig(out, dpi=110)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("runs/tiny"))
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    draw(arguments.folder, arguments.out)


if __name__ == "__main__":
    main()
