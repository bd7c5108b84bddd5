"""Make every figure of docs/experiments again: `python -m experiments`, about a night on two cores.

    python -m experiments --short        # the runs that together stay within 20 minutes
    python -m experiments overview       # one run
    python -m experiments --pages        # only write the stored tables into the pages
    python -m experiments --list         # the commands

A stopped run goes on where it was when the same command is given again. Tables are stored in experiments/results, plots
in docs/images, and the pages of docs/experiments are filled from the stored tables.
"""

import argparse
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from experiments.pages import fill_page
from experiments.plan import VARIANT_MODELS, Run, chosen
from experiments.stored import StoredRun
from keepsight.errors import KeepsightError

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
EXIT_ERROR = 2


class RunFailedError(Exception):
    """A command ended with an error."""


def pages() -> list[Path]:
    """Pages with tables."""
    return [DOCS / "experiments.md", *sorted((DOCS / "experiments").glob("*.md"))]


def run_one(run: Run, folder: Path) -> None:
    """Run one command, store its tables and plots.

    Raises:
        RunFailedError: the command failed.
        DataError: it wrote something else than a run does.
    """
    out = folder / run.name
    for variant in run.variants:
        model = f"{VARIANT_MODELS}/{variant}"
        _call(run, "training.variants", "folder", "--variant", variant, "--out", model)
    _call(run, *run.program, *run.arguments, "--out", str(out))
    StoredRun.of_folder(run, out).save(run.name)
    for name, picture in run.plots.items():
        shutil.copyfile(out / name, DOCS / "images" / picture)


def _call(run: Run, *words: str) -> None:
    done = subprocess.run([sys.executable, "-m", *words], cwd=ROOT, check=False)
    if done.returncode != 0:
        raise RunFailedError(f"{run.name} failed with exit code {done.returncode}: {shlex.join(words)}")


def run_all(runs: Sequence[Run], folder: Path) -> None:
    """Run commands in turn, with the time that is left."""
    started = time.monotonic()
    planned = sum(run.minutes for run in runs)
    done_minutes = 0.0
    for number, run in enumerate(runs, start=1):
        spent = (time.monotonic() - started) / 60
        pace = spent / done_minutes if done_minutes else 1.0
        left = (planned - done_minutes) * pace
        print(f"[{number}/{len(runs)}] {run.name}: about {left:.0f} minutes left in all\n{run.command}", flush=True)
        run_one(run, folder)
        done_minutes += run.minutes
    print(f"done in {(time.monotonic() - started) / 60:.0f} minutes")


def parse(words: Sequence[str] | None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments", description="Make the figures of docs/experiments again."
    )
    parser.add_argument("names", nargs="*", metavar="RUN", help="only these runs")
    parser.add_argument("--short", action="store_true", help="only the runs that together stay within 20 minutes")
    parser.add_argument(
        "--folder", type=Path, default=ROOT / "runs" / "experiments", help="where runs keep their files"
    )
    parser.add_argument("--pages", action="store_true", help="run nothing, fill the pages from the stored tables")
    parser.add_argument("--list", action="store_true", help="run nothing, print the commands")
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    """Run, store and write."""
    options = parse(words)
    try:
        runs = chosen(options.names, short=options.short)
        if options.list:
            for run in runs:
                print(f"{run.name:<24}{run.minutes:>5.0f} min  {run.command}")
            return 0
        if not options.pages:
            run_all(runs, options.folder)
        for page in pages():
            if fill_page(page):
                print(f"filled {page.relative_to(ROOT)}")
    except (KeepsightError, RunFailedError) as error:
        print(error, file=sys.stderr)
        return EXIT_ERROR
    return 0


if __name__ == "__main__":
    sys.exit(main())
