"""How long a command takes as a process of its own, from start to exit: imports, model, work.

    python -m benchmarks.first_second                           # a minute on two free cores
    python -m benchmarks.first_second --against ../before       # against another version's working tree, in turns
    python -m benchmarks.first_second --quick                   # two processes of each, to see that it runs

Each command is a new process; all take turns within a round. The first round only fills the page cache, so what is
measured is a second start, not the first after the machine's. Ratios are medians over rounds, of CPU seconds of all
threads and of wall seconds; on a busy machine only those of CPU seconds are reliable.

- `keepsight ask` answers with a bundled model, which needs its decoder alone.
- `keepsight ask --model FOLDER` answers with the same weights through transformers, as any other model.
- `keepsight watch` watches a minute of video with the bundled model.
- `import torch` is the least that any of them can take.

Every version asks a journal that it wrote itself.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.rig.machine import heading, table
from benchmarks.rig.ratios import Ratio, add_ratios_option, write_ratios

RUN = ("-c", "from keepsight.cli import main; main()")
QUESTION = "What is there now?"
NOW, BEFORE = "now", "before"


@dataclass(frozen=True)
class ProcessCost:
    """What a process took from start to exit.

    Attributes:
        wall_seconds: until it had exited.
        cpu_seconds: of all its threads and children.
    """

    wall_seconds: float
    cpu_seconds: float


def run(words: Sequence[str], tree: Path, folder: Path) -> ProcessCost:
    """Run Python in a folder, with a working tree's version of Keepsight.

    Raises:
        CalledProcessError: it failed.
    """
    environment = {**os.environ, "PYTHONPATH": str(tree / "src"), "OMP_WAIT_POLICY": "PASSIVE"}
    before, started = os.times(), time.perf_counter()
    subprocess.run([sys.executable, *words], cwd=folder, env=environment, capture_output=True, check=True)
    wall, after = time.perf_counter() - started, os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return ProcessCost(wall, cpu)


def commands(tree: Path) -> dict[str, tuple[str, ...]]:
    """Words of each measured command, by its name in the table."""
    folder = tree / "src" / "keepsight" / "models" / "tiny"
    ask = (*RUN, "ask", "journal.db", QUESTION, "--device", "cpu")
    return {
        "keepsight --help": (*RUN, "--help"),
        "keepsight ask": ask,
        "keepsight ask --model FOLDER": (*ask, "--model", str(folder)),
        "keepsight watch": (*RUN, "watch", "video.mp4", "--device", "cpu", "--restart"),
        "import torch": ("-c", "import torch"),
    }


def prepare(tree: Path, folder: Path) -> None:
    """Write a video, and a journal of it, with a working tree's version."""
    folder.mkdir()
    run((*RUN, "toyworld", "make", "video.mp4", "--minutes", "1", "--seed", "7"), tree, folder)
    run((*RUN, "watch", "video.mp4", "--journal", "journal.db", "--device", "cpu"), tree, folder)


def measure(trees: Mapping[str, Path], folder: Path, rounds: int) -> dict[tuple[str, str], list[ProcessCost]]:
    """Costs by command and version, one for each round after the first."""
    for version, tree in trees.items():
        prepare(tree, folder / version)
    found: dict[tuple[str, str], list[ProcessCost]] = {}
    for number in range(1 + rounds):
        for name in commands(Path()):
            for version, tree in trees.items():
                cost = run(commands(tree)[name], tree, folder / version)
                if number:
                    found.setdefault((name, version), []).append(cost)
    return found


def ratio_of(name: str, costs: Sequence[ProcessCost], others: Sequence[ProcessCost]) -> Ratio:
    """CPU seconds of one over those of another, round by round."""
    values = tuple(one.cpu_seconds / other.cpu_seconds for one, other in zip(costs, others, strict=True))
    return Ratio(name, values)


def ratios_of(found: Mapping[tuple[str, str], list[ProcessCost]]) -> list[Ratio]:
    """An answer without transformers over the same with it, and each command over the other version's."""
    light, whole = found["keepsight ask", NOW], found["keepsight ask --model FOLDER", NOW]
    ratios = [ratio_of("an answer from the decoder alone / from the whole model", light, whole)]
    for (name, version), costs in found.items():
        if version == NOW and (name, BEFORE) in found:
            ratios.append(ratio_of(f"{name}, now / before", costs, found[name, BEFORE]))
    return ratios


def row(name: str, version: str, found: Mapping[tuple[str, str], list[ProcessCost]]) -> list[str]:
    """One line of the table."""
    costs = found[name, version]
    others = found.get((name, BEFORE), []) if version == NOW else []
    wall = [one.wall_seconds / other.wall_seconds for one, other in zip(costs, others, strict=False)]
    cpu = [one.cpu_seconds / other.cpu_seconds for one, other in zip(costs, others, strict=False)]
    return [
        name,
        version,
        f"{median(cost.cpu_seconds for cost in costs):.2f}",
        f"{median(cost.wall_seconds for cost in costs):.2f}",
        f"{median(cpu):.2f}" if cpu else "",
        f"{median(wall):.2f}" if wall else "",
    ]


COLUMNS = ("command", "version", "CPU s", "wall s", "CPU, now / before", "wall, now / before")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Whole processes, as a Markdown table.")
    parser.add_argument("--against", type=Path, metavar="TREE", help="working tree of another version")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one round after the first")
    add_ratios_option(parser)
    options = parser.parse_args()
    trees = {NOW: Path(__file__).parent.parent.absolute()}
    if options.against is not None:
        trees[BEFORE] = options.against.absolute()
    rounds = 1 if options.quick else options.rounds
    with tempfile.TemporaryDirectory() as folder:
        found = measure(trees, Path(folder), rounds)
    ratios = ratios_of(found)
    write_ratios(options.ratios, ratios)
    note = f"Medians of {rounds} whole processes, warm page cache. {ratios[0].name}: {median(ratios[0].values):.2f}."
    rows = [row(name, version, found) for name, version in found]
    print("\n".join([*heading("cpu", note), *table(COLUMNS, rows)]))


if __name__ == "__main__":
    main()
