"""The computed memory of a model against the measured: load it, encode a clip of 16 frames, and describe it.

    python -m benchmarks.footprint                           # a few layers of several models, in minutes
    python -m benchmarks.footprint --case llava-0.5b-whole   # the 0.5B in full: ten minutes or more on one core
    python -m benchmarks.footprint --stored bfloat16 --dtype bfloat16   # without a cast: weights stay in mapped files

Each case is a process of its own on the CPU, over a checkpoint of random weights in several shards. Measured is
resident memory, less what the process holds before it reads the model, with all packages imported and a small model
used: at its peak while a clip is encoded and described over as many tokens of memory. While the weights are read, the
process' own bytes and those of mapped files are listed apart: the kernel drops the latter when memory is short. Where
weights stay in mapped files, those that no clip touches are not in memory.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

from benchmarks.rig.checkpoints import CASES, write_case
from benchmarks.rig.machine import heading, table
from benchmarks.rig.resident import Resident, peak_bytes, peaks, reset_peak
from keepsight.method.protocol import DescribeRequest, VisualInput
from keepsight.models.hardware.number_formats import DTYPES
from keepsight.models.loading import load_model
from tests.models.architecture import random_frames

NEW_TOKENS = 4
COLUMNS = ("model", "stored", "run in", "computed MB", "measured MB", "ratio", "of these encoding MB")
LOADING_COLUMNS = ("loading: own MB at peak", "mapped MB at peak", "own MB after", "mapped MB after")


def measure(folder: Path, dtype: str, quantization: str | None) -> dict[str, int]:
    """Load, encode and describe in this process; bytes."""
    torch.set_num_threads(1)
    first = load_model("tiny", device="cpu", dtype=dtype)
    first.describe(VisualInput(first.encode(random_frames(16))[:0], first.encode(random_frames(16))))
    before = Resident.now()
    with peaks() as loading:
        model = load_model(folder, device="cpu", dtype=dtype, quantization=quantization)
    loaded = Resident.now()
    reset_peak()
    height, width = model.info.frame_size_pixels
    tokens = model.encode(random_frames(16, height=height, width=width))
    encoding = peak_bytes()
    shown = VisualInput(tokens, tokens, token_grid=model.token_grid(height, width))
    model.describe(shown, DescribeRequest(max_new_tokens=NEW_TOKENS))
    return {
        "computed": model.info.memory_bytes,
        "measured": peak_bytes() - before.total,
        "encoding": encoding - before.total,
        "loading own": loading.anonymous - before.anonymous,
        "loading mapped": loading.mapped - before.mapped,
        "loaded own": loaded.anonymous - before.anonymous,
        "loaded mapped": loaded.mapped - before.mapped,
    }


def measured_apart(folder: Path, dtype: str, quantization: str | None) -> dict[str, int]:
    """`measure` in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.footprint", "--folder", str(folder), "--dtype", dtype]
    command += ["--quantization", quantization] if quantization is not None else []
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {name: int(value) for name, value in json.loads(done.stdout.splitlines()[-1]).items()}


def main() -> None:
    """Print the table, or, with a folder, the numbers of one checkpoint as JSON."""
    parser = argparse.ArgumentParser(description="The computed memory of a model against the measured.")
    parser.add_argument("--case", choices=sorted(CASES), action="append", help="repeatable; all but the whole one")
    parser.add_argument("--dtype", choices=sorted(DTYPES), action="append", help="to run in; float32 and bfloat16")
    parser.add_argument("--stored", choices=sorted(DTYPES), default="float16", help="in the files; float16")
    parser.add_argument("--quantization", choices=("int8", "int4"))
    parser.add_argument("--quick", action="store_true", help="one model only")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    dtypes = options.dtype or ["float32", "bfloat16"]
    if options.folder is not None:
        print(json.dumps(measure(options.folder, dtypes[0], options.quantization)))
        return
    names = options.case or ["llava-0.5b"] if options.quick else [n for n in CASES if not n.endswith("whole")]
    rows = []
    for name in options.case or names:
        for dtype in dtypes:
            with tempfile.TemporaryDirectory() as place:
                folder = write_case(CASES[name], Path(place) / name, DTYPES[options.stored])
                found = measured_apart(folder, dtype, options.quantization)
            ratio = found["computed"] / found["measured"]
            cells = [f"{found[key] / 1e6:,.0f}" for key in ("computed", "measured")]
            rest = [f"{value / 1e6:,.0f}" for key, value in found.items() if key not in ("computed", "measured")]
            rows.append([name, options.stored, dtype, *cells, f"{ratio:.2f}", *rest])
            print(" ".join(rows[-1]), file=sys.stderr, flush=True)
    print("\n".join([*heading("cpu", "16 frames, as many tokens of memory."), *table(COLUMNS + LOADING_COLUMNS, rows)]))


if __name__ == "__main__":
    main()
