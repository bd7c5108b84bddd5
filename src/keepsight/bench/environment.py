"""Environment of a run, for its results file."""

import datetime
import hashlib
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import torch

from keepsight.method.protocol import DescribeRequest, ScoreRule, VideoModel, VisualInput
from keepsight.plugins import plug_in_versions
from keepsight.settings import DESCRIBE_PROMPT

_PACKAGES = ("keepsight", "torch", "transformers", "numpy", "av")
_NUM_FINGERPRINT_TOKENS = 16
"""Length limit of the description used for a fingerprint."""


def describe_environment(model: VideoModel, *, processes: int, seed: int) -> dict[str, Any]:
    """Model, versions, hardware, date and seed as JSON data."""
    info = model.info
    return {
        "model": info.name,
        "architecture": info.architecture,
        "num_parameters": info.num_parameters,
        "frames_per_step": info.frames_per_step,
        "device": ", ".join(_device_name(device) for device in info.devices),
        "dtype": info.dtype,
        "model_fingerprint": fingerprint(model),
        "versions": {
            "python": platform.python_version(),
            **{name: _version(name) for name in _PACKAGES},
            **plug_in_versions(),
        },
        "platform": platform.platform(),
        "num_cores": os.cpu_count(),
        "processes": processes,
        "seed": seed,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def fingerprint(model: VideoModel) -> str:
    """Fingerprint of what the model computes, to tell weights with the same name apart.

    Made of the rounded results of encoding and describing one image, with attention of every layer, and of embedding
    one text, rather than of its files, which take a minute to read for a large model.
    """
    picture = np.linspace(0, 255, 96 * 96 * 3).reshape(96, 96, 3).astype(np.uint8)
    tokens = model.encode([picture])
    seen = tokens.float().sum(dim=0).cpu()
    request = DescribeRequest(max_new_tokens=_NUM_FINGERPRINT_TOKENS, scoring=ScoreRule("all"))
    said = model.describe(VisualInput(tokens[:0], tokens), request)
    known = model.embed(DESCRIBE_PROMPT).float().cpu()
    info = model.info
    parts = [info.architecture, str(info.num_parameters), info.dtype, str(info.score_layers), said.caption]
    parts += [f"{number:.2e}" for number in torch.cat([seen, known, said.scores.float().cpu()]).tolist()]
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:16]


def _device_name(device: str) -> str:
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    return f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"
