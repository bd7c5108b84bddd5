"""Whether compiled passes pay: captions of the same clips by the decoder as it is, and by compiled passes.

    python -m benchmarks.compiled            # needs a C++ compiler; about two minutes
    python -m benchmarks.compiled --quick    # traced but not compiled, to see that it runs

Each clip is described once in either way, in turns, without guesses, behind memories that fill up. The first two clips
of each way are not counted; what compiling took is told beside.
"""

import argparse
import logging
import statistics
import time
import warnings
from typing import Any

import torch

from benchmarks.rig.machine import heading, table
from benchmarks.rig.measuring import synchronize
from benchmarks.rig.toy import toy_frames
from keepsight.method.protocol import DescribeRequest, VisualInput
from keepsight.models.adapter import VideoAdapter
from keepsight.models.hardware.devices import settle_threads
from keepsight.models.loading import load_model
from keepsight.settings import Settings


def clips(model: Any, count: int) -> list[VisualInput]:
    """Clips of a toy story, each behind a longer memory than the one before, up to sixteen clips' worth."""
    settings = Settings()
    frames = toy_frames(settings, first_clip=0, num_clips=count)
    size = settings.frames_per_clip
    tokens = [model.encode([one.image for one in frames[at : at + size]]) for at in range(0, len(frames), size)]
    kept, nothing = len(tokens[0]) // 16, tokens[0][:0]
    memories = [torch.cat([nothing, *(one[:kept] for one in tokens[:at][-16:])]) for at in range(count)]
    return [VisualInput(memory, clip) for memory, clip in zip(memories, tokens, strict=True)]


def timed(model: Any, clip: VisualInput) -> tuple[float, int, str]:
    """Seconds, tokens and text of one caption."""
    synchronize(model.info.device)
    started = time.perf_counter()
    description = model.describe(clip, DescribeRequest(max_new_tokens=Settings().max_caption_tokens))
    synchronize(model.info.device)
    return time.perf_counter() - started, description.num_caption_tokens, description.caption


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--clips", type=int, default=24)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.getLogger("torch").setLevel(logging.ERROR)
    if options.quick:
        options.clips = 4
    plain, compiled = (load_model(options.model, device=options.device) for _ in range(2))
    settle_threads(plain.info.device, plain.info.num_parameters)
    if not isinstance(compiled, VideoAdapter):
        parser.error(f"{options.model} has no passes that can be compiled")
    compiled.compile_passes("eager" if options.quick else None)
    shown = clips(plain, options.clips)
    pairs = [(timed(plain, clip), timed(compiled, clip)) for clip in shown]
    counted = pairs[2:]
    rows = []
    for place, name in enumerate(("as it is", "compiled")):
        seconds = [pair[place][0] for pair in counted]
        tokens = sum(pair[place][1] for pair in counted)
        first = sum(pair[place][0] for pair in pairs[:2])
        each, token = 1000 * statistics.median(seconds), 1000 * sum(seconds) / tokens
        rows.append([name, f"{each:.0f}", f"{token:.1f}", f"{first:.1f}"])
    same = sum(one[2] == other[2] for one, other in counted)
    note = f"{options.model}, {len(counted)} clips counted, the same caption for {same} of them"
    columns = ["passes", "ms per clip, median", "ms per caption token, prompt included", "first two clips s"]
    print("\n".join([*heading(options.device, note), *table(columns, rows)]))


if __name__ == "__main__":
    main()
