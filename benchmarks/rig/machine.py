"""What a benchmark ran on, for the head of its tables, and the tables themselves."""

import datetime
import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import torch

from keepsight.models.hardware.free_memory import free_memory_bytes

_PACKAGES = ("torch", "transformers", "numpy")


def heading(device: str, note: str) -> list[str]:
    """Two lines of Markdown: date, hardware and versions; then what was run.

    Args:
        device: torch device.
        note: sizes and settings of the run.
    """
    versions = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    date = datetime.datetime.now(datetime.UTC).date().isoformat()
    load = f"load {os.getloadavg()[0]:.1f}"
    where = f"{_hardware(device)}, {torch.get_num_threads()} torch threads, {load}"
    return [f"{date}: {where}; Python {platform.python_version()}, {versions}.", "", note, ""]


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table with an empty line after it."""
    lines = [columns, ["---"] * len(columns), *rows]
    return [f"| {' | '.join(line)} |" for line in lines] + [""]


def _hardware(device: str) -> str:
    if device.startswith("cuda"):
        return f"{torch.cuda.get_device_name(device)}, CUDA {torch.version.cuda}"
    free = free_memory_bytes(torch.device("cpu"))
    memory = "" if free is None else f", {free / 1e9:.0f} GB free"
    return f"{cpu_name()}, {os.cpu_count()} cores{memory}"


def cpu_name() -> str:
    """Model of the processor and its widest vectors."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    facts = dict(line.split(":", 1) for line in lines if ":" in line)
    named = {name.strip(): value.strip() for name, value in facts.items()}
    flags = named.get("flags", "").split()
    widest = next((name for flag, name in _VECTORS if flag in flags), "")
    return f"{named.get('model name', platform.machine())}{widest}"


_VECTORS = (("amx_bf16", " with AMX"), ("avx512f", " with AVX-512"), ("avx2", " with AVX2"))
