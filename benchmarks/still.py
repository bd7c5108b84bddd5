"""How often does `skip_still` miss a change, and how often does it see one where there is none?

    python -m benchmarks.still                           # some two minutes of one core
    python -m benchmarks.still --quick                   # a part of it, to see that it runs

A camera looks at an empty place of the toy world, in two sizes: each picture has its own Gaussian noise, and all go
through H.264, whose key pictures differ from the others. Of clips in which nothing is, those with a change above the
threshold are false; of clips into one of whose sixteen pictures a small thing comes, those without are missed. A thing
is an ellipse on a random spot, lighter or darker than what is behind it by some levels of 255. Light that changes
slowly is compared as `--skip-still` compares, with the last captioned clip each time: captions an hour are
counted. Toy videos, as files, tell both rates where things move, come and go: nothing changed in a clip if each of its
pictures, as drawn, equals the last one of the last clip with a change.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from benchmarks.rig.machine import heading, table
from keepsight.engine.stillness import Stillness
from keepsight.settings import STILL_THRESHOLD, Settings
from keepsight.toyworld.files import ToyVideoSettings, make_truth, make_video
from keepsight.toyworld.render import render_frame
from keepsight.toyworld.scenery import WALLS_AND_FLOORS, background
from keepsight.video import Frame, cut_clips, open_video
from keepsight.video.stillness import largest_change, reduced

Picture = NDArray[np.uint8]

THRESHOLDS = (4, 6, 8, 10, 12, 14, 16, 20, 24)
NOISES = (0, 2, 5, 10, 20)
"""Standard deviation of each colour of each pixel, in levels: 2 by day, 5 by lamplight, 10 and 20 by night."""
SHARES = (1 / 96, 1 / 64, 1 / 48, 1 / 32)
"""Side of a thing, of the picture's."""
CONTRASTS = (30, 60)
SIZES = (192, 480)
CLIP = Settings().frames_per_clip
STEP_SECONDS = 1 / Settings().sample_fps
_FIRST_SEED = 90_000  # held out from training, whose seeds begin at 2^32


@dataclass(frozen=True)
class Rates:
    """Largest changes of clips, against thresholds."""

    changes: Sequence[int]

    def above(self) -> list[str]:
        """Share of clips with a change above each threshold."""
        return [f"{np.mean([change > limit for change in self.changes]):.1%}" for limit in THRESHOLDS]

    def within(self) -> list[str]:
        """Share of clips without one."""
        return [f"{np.mean([change <= limit for change in self.changes]):.1%}" for limit in THRESHOLDS]


def filmed(pictures: Iterator[Picture], size: int) -> list[Picture]:
    """Pictures as they come out of H.264."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        with av.open(str(path), "w") as container:
            options = {"crf": "26", "preset": "veryfast", "g": "5", "bf": "0"}
            stream = container.add_stream("libx264", rate=Fraction(1), options=options)
            stream.width, stream.height, stream.pix_fmt = size, size, "yuv420p"
            stream.codec_context.thread_count = 1
            for picture in pictures:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode(None))
        with open_video(path) as video:
            return [frame.image for frame in video.sampled_frames(1.0)]


def noisy(picture: Picture, deviation: float, draw: np.random.Generator, light: float = 1.0) -> Picture:
    """A picture as a sensor sees it."""
    seen = picture * light + deviation * draw.standard_normal(picture.shape, np.float32)
    return seen.round().clip(0, 255).astype(np.uint8)


def with_thing(picture: Picture, draw: np.random.Generator, *, share: float, levels: int) -> Picture:
    """A picture with an ellipse, lighter or darker than what it covers."""
    side = picture.shape[0]
    mask = Image.new("L", (side, side))
    length = share * side
    left, top = draw.uniform(0, side - length, 2)
    ImageDraw.Draw(mask).ellipse((left, top, left + length, top + length), fill=1)
    behind = picture[int(top), int(left)].mean()
    sign = 1 if behind + levels <= 255 and (behind - levels < 0 or draw.random() < 0.5) else -1
    return (picture + sign * levels * np.asarray(mask)[..., None].astype(int)).clip(0, 255).astype(np.uint8)


def places(size: int, num_places: int) -> list[Picture]:
    """Empty places of the toy world."""
    names = list(WALLS_AND_FLOORS)[:num_places]
    return [np.asarray(background(name, size, _FIRST_SEED, 10)) for name in names]


def changes_of(
    num_clips: int, num_places: int, deviation: float, change: Callable[[Picture, np.random.Generator], Picture] | None
) -> Rates:
    """Largest change of each clip of a camera; `change` alters one picture of each."""
    changes = []
    for size in SIZES:
        for number, place in enumerate(places(size, num_places)):
            draw = np.random.default_rng([_FIRST_SEED, size, number, round(deviation)])
            clean = [place] * (1 + num_clips * CLIP)
            if change is not None:
                for first in range(1, len(clean), CLIP):
                    clean[first + int(draw.integers(CLIP))] = change(place, draw)
            first_picture, *rest = map(reduced, filmed((noisy(one, deviation, draw) for one in clean), size))
            each = [largest_change(first_picture, picture) for picture in rest]
            changes += [max(each[start : start + CLIP]) for start in range(0, len(each), CLIP)]
    return Rates(changes)


def captions_of(deviation: float, fall_an_hour: float, hours: float) -> tuple[int, int]:
    """Captioned clips, and all, of an empty place that gets darker by a share of its light in an hour."""
    size, draw = SIZES[0], np.random.default_rng(_FIRST_SEED)
    (place,) = places(size, 1)
    num_pictures = round(hours * 3600 / STEP_SECONDS)
    lights = (max(0.0, 1 - fall_an_hour * number * STEP_SECONDS / 3600) for number in range(num_pictures))
    images = filmed((noisy(place, deviation, draw, light) for light in lights), size)
    stillness = Stillness(STILL_THRESHOLD, CLIP * STEP_SECONDS, lambda *_: False)
    frames = (Frame(image, number * STEP_SECONDS) for number, image in enumerate(images))
    are_still = [stillness.compare(clip).is_still for clip in cut_clips(frames, 1 / STEP_SECONDS, CLIP)]
    return are_still.count(False), len(are_still)


def toy_rates(seed: int, minutes: float) -> tuple[list[int], list[int]]:
    """Largest changes of a toy video's clips without a true change, and of those with one."""
    settings = ToyVideoSettings(seed, minutes, difficulty="easy", fps=2)
    story = make_truth(settings).story
    still: list[int] = []
    changed: list[int] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "toy.mp4"
        make_video(path, settings)
        with open_video(path) as video:
            frames = list(video.sampled_frames(1 / STEP_SECONDS))
    before: tuple[Picture, Picture] | None = None
    for clip in cut_clips(frames, 1 / STEP_SECONDS, CLIP):
        drawn = [render_frame(story, frame.pts_seconds, settings.size_pixels) for frame in clip.frames]
        small = [reduced(frame.image) for frame in clip.frames]
        is_changed = before is None or any((picture != before[0]).any() for picture in drawn)
        if before is not None:
            largest = max(largest_change(before[1], picture) for picture in small)
            (changed if is_changed else still).append(largest)
        if is_changed:
            before = (drawn[-1], small[-1])
    return still, changed


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description="Rates of `skip_still` against known changes, as Markdown.")
    parser.add_argument("--clips", type=int, default=3, help="of each place, size and noise")
    parser.add_argument("--places", type=int, default=3)
    parser.add_argument("--videos", type=int, default=3, help="toy videos")
    parser.add_argument("--hours", type=float, default=1.0, help="of slowly changing light")
    parser.add_argument("--quick", action="store_true", help="little of each")
    options = parser.parse_args()
    if options.quick:
        options.clips, options.places, options.videos, options.hours = 1, 1, 1, 0.1
    limits = [str(limit) for limit in THRESHOLDS]

    def rates(deviation: float, change: Callable[[Picture, np.random.Generator], Picture] | None = None) -> Rates:
        return changes_of(options.clips, options.places, deviation, change)

    note = (
        f"{options.places} places in {', '.join(map(str, SIZES))} pixels, {options.clips} clips of {CLIP} pictures "
        f"each; the threshold is {STILL_THRESHOLD:g} by default."
    )
    print("\n".join(heading("cpu", note)))
    rows = [[f"noise {deviation}", *rates(deviation).above()] for deviation in NOISES]
    print("\n".join(table(["nothing changes: false at threshold", *limits], rows)))
    rows = []
    for levels in CONTRASTS:
        for share in SHARES:
            missed = rates(5, partial(with_thing, share=share, levels=levels))
            rows.append([f"1/{round(1 / share)} of the side, {levels} levels", *missed.within()])
    print("\n".join(table(["a thing for one picture, noise 5: missed at threshold", *limits], rows)))
    found = [toy_rates(_FIRST_SEED + number, 8.0 if not options.quick else 4.0) for number in range(options.videos)]
    still, changed = ([change for pair in found for change in pair[kind]] for kind in (0, 1))
    rows = []
    if still:
        rows.append([f"{len(still)} clips without a change: false", *Rates(still).above()])
    rows.append([f"{len(changed)} clips with one: missed", *Rates(changed).within()])
    print("\n".join(table([f"{options.videos} toy videos, at threshold", *limits], rows)))
    rows = []
    for name, fall in (("steady", 0.0), ("5 % darker in an hour", 0.05), ("20 %", 0.2), ("80 %", 0.8)):
        num_captioned, num_clips = captions_of(5, fall, options.hours)
        rows.append([name, str(num_captioned), str(num_clips)])
    print("\n".join(table([f"light, noise 5, {options.hours:g} hours", "captions", "clips"], rows)))


if __name__ == "__main__":
    main()
