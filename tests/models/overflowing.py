"""A checkpoint whose vision tower overflows float16 where frames are bright, and a video that turns bright."""

import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from safetensors.torch import load_file, save_file

from tests.models.random_model import write_random_model

SIDE = 20
"""Height and width of a frame in pixels."""


def write_overflowing_model(folder: Path) -> Path:
    """Write a random LLaVA-OneVision checkpoint and return its folder.

    Its first convolution has weights near 5e3, which float16 holds. Black pixels are zeros, so dark frames give
    small values; white ones are sums of 48 weights, beyond 65,504.
    """
    write_random_model(folder)
    tensors = load_file(folder / "model.safetensors")
    for name, tensor in tensors.items():
        if name.endswith("patch_embedding.weight"):
            tensor.abs_()
            tensor *= 5e3 / tensor.mean()
            assert bool(tensor.half().isfinite().all())
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    settings = {"size": {"height": SIDE, "width": SIDE}, "image_mean": [0.0] * 3, "image_std": [1.0] * 3}
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    return folder


def write_brightening_video(path: Path, dark_seconds: int, bright_seconds: int, fps: int = 2) -> Path:
    """Write a video that is black, then white, and return its path."""
    with av.open(path, "w") as container:
        stream = container.add_stream("mpeg4", rate=Fraction(fps))
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for number in range((dark_seconds + bright_seconds) * fps):
            picture = np.full((32, 32, 3), 0 if number < dark_seconds * fps else 255, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path
