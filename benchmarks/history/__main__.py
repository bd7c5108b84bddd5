"""Run the benchmarks that give ratios, keep the ratios, and say which got worse.

    python -m benchmarks.history             # as `make bench-history`: about an hour
    python -m benchmarks.history --quick     # small sizes: minutes
    python -m benchmarks.history --only decode --accept   # what is worse from now on is meant to be

A ratio is worse when it differs from the geometric mean of the earlier entries by more than the noise: the interval of
the repeats, or how far the earlier entries differ from run to run, whichever is larger, and at least 2 %. Only entries
with the same processor, number of cores and variant are compared. A benchmark that seems worse runs again, and the
second run counts. Seconds are not kept: they say more about the machine than about the sources.

Exit status 1 when a ratio got worse, with a line for each; 2 when a benchmark failed. Of the others, floor, threads,
prefix, compiled and quantization compare hardware or ideas that are not in the product; alerts, crash, fuzz, endurance
and flatness hold bars of their own; ingest, scaling and serving give seconds.
"""

import argparse
import datetime
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.history.entries import Conditions, Entry, append_history, entry_of, read_history
from benchmarks.history.judging import Verdict, judge
from benchmarks.rig.ratios import Ratio, read_ratios

ROOT = Path(__file__).parents[2]
HISTORY = Path(__file__).with_name("ratios.jsonl")
RATIO_BENCHMARKS = ("attention", "decode", "export", "question", "retrieval", "standing", "tower")


class BenchmarkError(Exception):
    """A benchmark ended with an error."""


def run_benchmark(name: str, is_quick: bool, num_runs: int) -> list[Ratio]:
    """Ratios of a benchmark with the values of all its runs, each in a process of its own."""
    pooled: dict[str, Ratio] = {}
    for _ in range(num_runs):
        for ratio in _run_once(name, is_quick):
            values = pooled[ratio.name].values if ratio.name in pooled else ()
            pooled[ratio.name] = replace(ratio, values=values + ratio.values)
    return list(pooled.values())


def _run_once(name: str, is_quick: bool) -> list[Ratio]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ratios.jsonl"
        command = [
            sys.executable,
            "-m",
            f"benchmarks.{name}",
            "--ratios",
            str(path),
            *(["--quick"] if is_quick else []),
        ]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode != 0 or not path.exists():
            said = (done.stderr.strip() or done.stdout.strip() or "no ratios").splitlines()[-1]
            raise BenchmarkError(f"{name} failed with exit code {done.returncode}: {said}")
        return read_ratios(path)


def commit_here() -> str:
    """Commit of the sources, with `+` behind it where they were changed since; `unknown` outside of a repository."""

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else ""

    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", f":!{HISTORY.relative_to(ROOT)}")
    return (git("rev-parse", "--short=12", "HEAD") or "unknown") + ("+" if changed else "")


def measure(name: str, options: argparse.Namespace, history: Sequence[Entry]) -> list[Verdict]:
    """Verdicts over a benchmark's ratios; it runs again where one seems worse."""
    conditions, commit = Conditions.here(options.quick), commit_here()
    verdicts: list[Verdict] = []
    for _ in range(2):
        ratios = run_benchmark(name, options.quick, options.runs)
        date = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        verdicts = [judge(entry_of(date, commit, conditions, name, ratio), history) for ratio in ratios]
        if options.accept or not any(verdict.is_worse for verdict in verdicts):
            break
    return verdicts


def kept(verdict: Verdict, is_accepted: bool) -> Entry:
    """The entry as it goes to the file."""
    is_new_start = is_accepted and verdict.is_worse
    return replace(verdict.entry, is_worse=verdict.is_worse and not is_new_start, is_accepted=is_new_start)


def parse(words: Sequence[str] | None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.history", description="Keep the ratios of the benchmarks, and say which got worse."
    )
    parser.add_argument("--quick", action="store_true", help="the benchmarks' --quick variants")
    parser.add_argument("--runs", type=int, help="of each benchmark (default: 3 with --quick, 1 without)")
    parser.add_argument("--only", nargs="+", choices=RATIO_BENCHMARKS, default=RATIO_BENCHMARKS, metavar="NAME")
    parser.add_argument("--file", type=Path, default=HISTORY, help="the history (default: %(default)s)")
    parser.add_argument("--accept", action="store_true", help="compare later runs with this one where it is worse")
    options = parser.parse_args(words)
    options.runs = (3 if options.quick else 1) if options.runs is None else options.runs
    if options.runs < 1:
        parser.error(f"--runs must be 1 or more, got {options.runs}")
    return options


def main(words: Sequence[str] | None = None) -> int:
    """Measure, keep and compare."""
    options = parse(words)
    try:
        history = read_history(options.file)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    worse, failed = [], False
    for name in options.only:
        try:
            verdicts = measure(name, options, history)
        except BenchmarkError as error:
            print(error, file=sys.stderr, flush=True)
            failed = True
            continue
        append_history(options.file, [kept(verdict, options.accept) for verdict in verdicts])
        print("\n".join(map(str, verdicts)), flush=True)
        worse += [verdict for verdict in verdicts if verdict.is_worse and not options.accept]
    if worse:
        print("\n".join(["", "Worse than before:", *map(str, worse)]))
    return 2 if failed else int(bool(worse))


if __name__ == "__main__":
    sys.exit(main())
