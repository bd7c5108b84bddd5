"""What number formats do to captions, scores and selection, against float32 over the same clips.

    python -m benchmarks.quantization            # three videos of eight minutes: about three minutes
    python -m benchmarks.quantization --quick    # a short one, to see that it runs

Each clip is described in every format behind the memory that float32 had there, so that differences do not add up over
time; then each format watches the whole video behind its own memory, as it would be used. int8 and int4 need torchao.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.rig.machine import heading, table
from keepsight.method.protocol import DescribeRequest, Description, VideoModel
from keepsight.method.recurrence import ClipWork, Recurrence, encode_clip
from keepsight.method.selection import make_selector
from keepsight.models.hardware.devices import settle_threads
from keepsight.models.loading import load_model
from keepsight.settings import Settings
from keepsight.toyworld.files import ToyVideoSettings, make_video
from keepsight.video import Clip, cut_clips, open_video

FORMATS: dict[str, dict[str, Any]] = {
    "float32": {"dtype": "float32"},
    "bfloat16": {"dtype": "bfloat16"},
    "float16": {"dtype": "float16"},
    "int8 weights": {"dtype": "float32", "quantization": "int8"},
    "int4 weights": {"dtype": "float32", "quantization": "int4"},
}
SETTINGS = Settings()


@dataclass(frozen=True)
class Step:
    """One clip in float32: what it was described from, and what was said."""

    clip: Clip
    work: ClipWork
    description: Description


@dataclass(frozen=True)
class Likeness:
    """How one clip in another format compares with float32.

    Attributes:
        same_caption: behind float32's memory.
        kept_share: share of the tokens that float32 keeps which this format keeps, too.
        score_error: sum of the scores' differences over the sum of the scores; None where the captions differ, since
            scores of another caption are other scores.
        same_caption_alone: behind the format's own memory.
        seconds: describing the clip.
    """

    same_caption: bool
    kept_share: float
    score_error: float | None
    same_caption_alone: bool
    seconds: float


def clips_of(folder: Path, seed: int, minutes: float) -> list[Clip]:
    """Clips of a rendered toy-world video, from its file."""
    path = folder / f"{seed}.mp4"
    make_video(path, ToyVideoSettings(seed=seed, minutes=minutes))
    with open_video(path) as video:
        return list(cut_clips(video.sampled_frames(SETTINGS.sample_fps), SETTINGS.sample_fps))


def watched(model: VideoModel, clips: Sequence[Clip]) -> list[Step]:
    """The full loop."""
    recurrence, steps = Recurrence(SETTINGS), []
    for clip in clips:
        work = recurrence.prepare(model, encode_clip(model, clip))
        description = recurrence.describe(model, work)
        recurrence.keep(work, description)
        steps.append(Step(clip, work, description))
    return steps


def kept(tokens: torch.Tensor, description: Description) -> set[int]:
    """Places of the tokens that would be kept."""
    selector = make_selector(SETTINGS.selector, retention=SETTINGS.retention)
    return set(selector.select(tokens, description.scores).indices.tolist())


def compare(model: VideoModel, exact: Sequence[Step]) -> list[Likeness]:
    """A format against float32, clip by clip."""
    alone = watched(model, [step.clip for step in exact])
    found = []
    for step, own in zip(exact, alone, strict=True):
        tokens = encode_clip(model, step.clip).tokens
        visual = replace(step.work.visual, tokens=tokens, memory=step.work.visual.memory.to(tokens))
        request = DescribeRequest(SETTINGS.describe_prompt, SETTINGS.max_caption_tokens)
        started = time.perf_counter()
        description = model.describe(visual, request)
        seconds = time.perf_counter() - started
        theirs = kept(step.work.visual.tokens, step.description)
        same = description.caption == step.description.caption
        difference = (description.scores - step.description.scores).abs().sum() / step.description.scores.sum()
        found.append(
            Likeness(
                same_caption=same,
                kept_share=len(theirs & kept(tokens, description)) / len(theirs),
                score_error=float(difference) if same else None,
                same_caption_alone=own.description.caption == step.description.caption,
                seconds=seconds,
            )
        )
    return found


def row(name: str, found: Sequence[Likeness], model: VideoModel) -> list[str]:
    """One line of the table."""
    errors = [one.score_error for one in found if one.score_error is not None]
    return [
        name,
        f"{model.info.memory_bytes / 1e6:.0f}",
        _percent([one.same_caption for one in found]),
        _percent([one.kept_share for one in found]),
        f"{100 * statistics.mean(errors):.2g} %" if errors else "-",
        _percent([one.same_caption_alone for one in found]),
        f"{1000 * statistics.median(one.seconds for one in found):.0f}",
    ]


def _percent(values: Sequence[float]) -> str:
    return f"{100 * statistics.mean(values):.1f} %"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--videos", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if options.quick:
        options.videos, options.minutes = 1, 1.6
    plain = load_model(options.model, device="cpu", dtype="float32")
    settle_threads("cpu", plain.info.num_parameters)
    with tempfile.TemporaryDirectory() as folder:
        videos = [clips_of(Path(folder), 60_000 + number, options.minutes) for number in range(options.videos)]
    exact = [watched(plain, clips) for clips in videos]
    rows = []
    for name, choice in FORMATS.items():
        model = load_model(options.model, device="cpu", **choice)
        rows.append(row(name, [one for steps in exact for one in compare(model, steps)], model))
    note = f"{options.model}, {sum(map(len, videos))} clips of {options.videos} videos"
    columns = [
        "format",
        "computed peak MB",
        "same caption",
        "kept alike",
        "scores off by",
        "same, own memory",
        "ms per clip",
    ]
    print("\n".join([*heading("cpu", note), *table(columns, rows)]))


if __name__ == "__main__":
    main()
