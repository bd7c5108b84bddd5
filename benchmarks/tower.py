"""What the vision tower costs on a CPU: by frames per batch and memory format, and what repeated frames save.

    python -m benchmarks.tower                                            # the bundled model: half a minute
    python -m benchmarks.tower --quick                                    # seconds, to see that it runs
    python -m benchmarks.tower --model 0.5b --tower-layers 2              # some minutes: all layers are alike
    python -m benchmarks.tower --model 0.5b --only scenes --repeats 1     # ten minutes of one core, 6 GB

Three tables. *Batches*: sixteen different frames in batches of 1 to 16, and with weights in `channels_last`, each
against batches of 16; all settings take turns, and ratios are medians of the ratios within a turn. *Repeated frames*:
how many sampled frames equal the one before, and how many the tower encodes, with frames that come as pictures (pushed,
from a folder) and through an H.264 file, which is read as a watched one is. *Clips*: encoding by batches of 16 frames
without regard to repeats, as before, against `encode`; the former takes as long whatever the frames show, so it is
measured once a turn. Tokens taken from the batch before are checked to be those of the batch encoded, bit for bit. The
tower's share is that of encoding in encoding plus describing, behind a full memory.
"""

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.rig.machine import heading, table
from benchmarks.rig.measuring import Cost, measured
from benchmarks.rig.models import SHAPES, random_model
from benchmarks.rig.ratios import Ratio, add_ratios_option, write_ratios
from benchmarks.rig.scenes import FPS, SCENES, write_h264
from keepsight.method.protocol import DescribeRequest, VisualInput
from keepsight.models.adapter import VideoAdapter
from keepsight.models.hardware.devices import settle_threads
from keepsight.models.hardware.number_formats import DTYPES
from keepsight.models.loading import load_model
from keepsight.models.vision.batches import encode_batches, frames_in_batch
from keepsight.settings import Settings
from keepsight.video import open_video

DEVICE = "cpu"
SIZES = (1, 2, 4, 8, 16)
WHOLE = 16
TIMED = (("still camera", "pictures"), ("slide talk", "H.264"), ("film", "H.264"))
BATCH_COLUMNS = (
    "frames a batch",
    "weights",
    "CPU ms a frame",
    "ratio",
    "GB over weights",
    "tokens, against one a batch",
)
REPEAT_COLUMNS = ("scene", "as", "frames", "equal to the one before")
CLIP_COLUMNS = (
    "scene",
    "frames encoded",
    "CPU s a clip, before",
    "now",
    "ratio",
    "GB over weights, before",
    "now",
)
SHARE_COLUMNS = ("tower's share of a clip, %", "ratio of whole clips")
Frames = Sequence[np.ndarray]


@dataclass(frozen=True)
class Video:
    """Sampled frames of a scene.

    Attributes:
        scene: key of `SCENES`.
        form: `pictures` or `H.264`.
        frames: at the default rate.
    """

    scene: str
    form: str
    frames: Frames

    def clips(self) -> list[Frames]:
        """Whole clips."""
        size = Settings().frames_per_clip
        return [self.frames[at : at + size] for at in range(0, len(self.frames) - size + 1, size)]


def make_videos(num_clips: int) -> list[Video]:
    """Each scene as pictures and through a file."""
    settings = Settings()
    num_samples, step = num_clips * settings.frames_per_clip, round(FPS / settings.sample_fps)
    videos = []
    for scene, make in SCENES.items():
        frames = list(make(num_samples * step))
        videos.append(Video(scene, "pictures", [np.array(frame) for frame in frames[::step]]))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "scene.mp4"
            write_h264(path, iter(frames))
            with open_video(str(path)) as source:
                decoded = [frame.image for frame in source.sampled_frames(settings.sample_fps)]
        videos.append(Video(scene, "H.264", decoded[:num_samples]))
    return videos


@torch.inference_mode()
def encode_all(model: VideoAdapter, frames: Frames, size: int) -> Tensor:
    """Every batch encoded."""
    return torch.cat([model.encode_batch(frames[at : at + size]) for at in range(0, len(frames), size)])


@torch.inference_mode()
def count_encoded(frames: Frames, size: int) -> int:
    """Frames that are encoded in batches of a size."""
    counted = []

    def encode(batch: Frames) -> Tensor:
        counted.append(len(batch))
        return torch.zeros(1, 1)

    encode_batches(frames, size, encode)
    return sum(counted)


def batch_rows(model: VideoAdapter, stock: Any, sizes: Sequence[int], repeats: int) -> tuple[list[list[str]], Ratio]:
    """Different frames in batches of each size, as weights are and with weights in `channels_last`."""
    settings = [(size, torch.contiguous_format) for size in sizes]
    if stock is not None:
        settings += [(size, torch.channels_last) for size in (sizes[0], sizes[-1])]
    height, width = model.info.frame_size_pixels
    generator = np.random.default_rng(0)
    frames = [generator.integers(0, 256, (height, width, 3), dtype=np.uint8) for _ in range(sizes[-1])]
    costs: dict[tuple[int, torch.memory_format], list[Cost]] = {setting: [] for setting in settings}
    tokens: dict[tuple[int, torch.memory_format], Tensor] = {}
    encode_all(model, frames[:2], 1)  # the first passes take longer
    for repeat in range(repeats):
        turn = repeat % len(settings)
        for size, layout in settings[turn:] + settings[:turn]:
            if stock is not None:
                stock.to(memory_format=layout)
            with measured(DEVICE) as cost:
                tokens[size, layout] = encode_all(model, frames, size)
            costs[size, layout].append(cost)
    whole, alone = settings[len(sizes) - 1], tokens[settings[0]]
    rows = []
    for setting in settings:
        ratios = cpu_ratios(costs[setting], costs[whole])
        apart = float((tokens[setting] - alone).abs().max() / alone.abs().max())
        rows.append(
            [
                f"{setting[0]}",
                str(setting[1]).removeprefix("torch."),
                f"{1000 * median(cost.cpu_seconds for cost in costs[setting]) / len(frames):.1f}",
                f"{median(ratios):.2f}",
                f"{median(cost.rise_bytes for cost in costs[setting]) / 1e9:.2f}",
                "equal" if torch.equal(tokens[setting], alone) else f"{apart:.0e}",
            ]
        )
    default = (frames_in_batch(model.info, WHOLE), torch.contiguous_format)
    ratios = cpu_ratios(costs.get(default, costs[whole]), costs[whole])
    return rows, Ratio("batches of the default size / of 16", tuple(ratios))


def cpu_ratios(costs: Sequence[Cost], others: Sequence[Cost]) -> list[float]:
    """Ratios of CPU time within turns."""
    return [one.cpu_seconds / other.cpu_seconds for one, other in zip(costs, others, strict=True)]


def repeat_row(video: Video, sizes: Sequence[int]) -> list[str]:
    """How many frames repeat the one before, and are encoded in batches of several sizes."""
    num_equal = sum(np.array_equal(one, other) for one, other in pairwise(video.frames))
    encoded = [sum(count_encoded(clip, size) for clip in video.clips()) for size in sizes]
    return [video.scene, video.form, f"{len(video.frames)}", f"{num_equal}", *(f"{number}" for number in encoded)]


def describe_seconds(model: VideoAdapter, frames: Frames, caption_tokens: int) -> float:
    """CPU seconds of a caption behind a full memory."""
    tokens = model.encode(frames)
    with measured(DEVICE) as cost:
        model.describe(VisualInput(tokens, tokens), DescribeRequest(max_new_tokens=caption_tokens))
    return cost.cpu_seconds


def clip_rows(
    model: VideoAdapter, videos: Sequence[Video], repeats: int, describing: float | None
) -> tuple[list[list[str]], list[Ratio]]:
    """The clips of videos encoded now, in turns with one encoded as before."""
    size = frames_in_batch(model.info, model.frames_per_batch or WHOLE)
    before: list[Cost] = []
    now: list[list[Cost]] = [[] for _ in videos]
    for repeat in range(repeats):
        with measured(DEVICE) as cost:
            encode_all(model, videos[-1].clips()[0], WHOLE)
        before.append(cost)
        for video, costs in zip(videos, now, strict=True):
            for clip in video.clips():
                with measured(DEVICE) as cost:
                    tokens = model.encode(clip)
                costs.append(cost)
                if repeat == 0:
                    check_tokens(model, clip, size, tokens)
    rows, ratios = [], []
    for video, costs in zip(videos, now, strict=True):
        num_clips = len(video.clips())
        means = [
            mean(cost.cpu_seconds for cost in costs[at : at + num_clips]) for at in range(0, len(costs), num_clips)
        ]
        values = [new / old.cpu_seconds for new, old in zip(means, before, strict=True)]
        old, ratio = median(cost.cpu_seconds for cost in before), median(values)
        encoded = sum(count_encoded(clip, size) for clip in video.clips())
        cells = [
            f"{video.scene}, {video.form}",
            f"{encoded} of {sum(len(clip) for clip in video.clips())}",
            f"{old:.3g}",
            f"{median(means):.3g}",
            f"{ratio:.2f}",
            f"{max(cost.rise_bytes for cost in before) / 1e9:.2f}",
            f"{max(cost.rise_bytes for cost in costs) / 1e9:.2f}",
        ]
        if describing is not None:
            cells += [
                f"{100 * old / (old + describing):.0f} → {100 * ratio * old / (ratio * old + describing):.0f}",
                f"{(ratio * old + describing) / (old + describing):.2f}",
            ]
        rows.append(cells)
        ratios.append(Ratio(f"encoding now / one batch of {WHOLE}, {video.scene}, {video.form}", tuple(values)))
    return rows, ratios


def check_tokens(model: VideoAdapter, frames: Frames, size: int, tokens: Tensor) -> None:
    """Check the tokens of the first batch that repeats the one before against those of the batch encoded.

    Raises:
        SystemExit: they are not equal, bit for bit.
    """
    batches = [frames[at : at + size] for at in range(0, len(frames), size)]
    per_batch = tokens.split(len(tokens) // len(frames) * size)
    for place in range(1, len(batches)):
        if np.array_equal(batches[place - 1], batches[place]):
            if not torch.equal(per_batch[place], encode_all(model, batches[place], size)):
                raise SystemExit(f"batch {place} has other tokens than encoded alone")
            return


def parse() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description="Cost of the vision tower, as Markdown tables.")
    parser.add_argument("--model", default="tiny", help="tiny, or a shape of random weights: " + ", ".join(SHAPES))
    parser.add_argument("--tower-layers", type=int, help="instead of the shape's, and nothing is described")
    parser.add_argument("--dtype", choices=sorted(DTYPES), default="float32")
    parser.add_argument("--only", choices=("batches", "scenes"), help="one part")
    parser.add_argument("--clips", type=int, help="clips of each scene: 2 of tiny, 1 of others")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--caption-tokens", type=int, default=100, help="longest caption, where describing is measured")
    parser.add_argument("--quick", action="store_true", help="one clip, one repeat")
    add_ratios_option(parser)
    options = parser.parse_args()
    options.clips = options.clips or (2 if options.model == "tiny" and not options.quick else 1)
    options.repeats = 1 if options.quick else options.repeats
    return options


def main() -> None:
    """Print the tables."""
    options = parse()
    stock: Any = None
    if options.model in SHAPES:
        shape = SHAPES[options.model]
        shape = replace(shape, tower_layers=options.tower_layers or shape.tower_layers)
        if options.tower_layers:
            shape = replace(shape, layers=1, vocabulary=512)  # encoding needs no decoder
        random = random_model(options.model, DEVICE, options.dtype, shape)
        model: VideoAdapter = random.adapter
        stock, layers = random.stock, f"{shape.tower_layers} tower layers"
    else:
        loaded = load_model(options.model, device=DEVICE, dtype=options.dtype)
        if not isinstance(loaded, VideoAdapter):
            raise SystemExit(f"{options.model} has no vision tower here")
        model, layers = loaded, "bundled"
    settle_threads(model.info.device, model.info.num_parameters)
    note = f"{options.model}, {layers}, {options.dtype}, {options.repeats} turns."
    print("\n".join(heading(DEVICE, note)))
    ratios = []
    if options.only != "scenes":
        rows, ratio = batch_rows(model, stock, SIZES, options.repeats)
        print("\n".join(table(BATCH_COLUMNS, rows)), flush=True)
        ratios.append(ratio)
    if options.only != "batches":
        videos = make_videos(options.clips)
        default = frames_in_batch(model.info, model.frames_per_batch or WHOLE)
        sizes = sorted({1, default, WHOLE})
        columns = [f"encoded, batches of {size}" for size in sizes]
        rows = [repeat_row(video, sizes) for video in videos]
        print("\n".join(table((*REPEAT_COLUMNS, *columns), rows)), flush=True)
        describing = None
        if not options.tower_layers:
            clip = videos[0].clips()[0]
            describing = median(describe_seconds(model, clip, options.caption_tokens) for _ in range(options.repeats))
        timed = [video for video in videos if (video.scene, video.form) in TIMED]
        rows, found = clip_rows(model, timed, options.repeats, describing)
        if describing is not None:
            print(f"Describing a clip took {describing:.3g} CPU s.", "", sep="\n")
        columns = [*CLIP_COLUMNS, *(SHARE_COLUMNS if describing is not None else ())]
        print("\n".join(table(columns, rows)))
        ratios += found
    write_ratios(options.ratios, ratios)


if __name__ == "__main__":
    main()
