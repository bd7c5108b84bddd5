"""Packages with entry points, installed into a folder as pip leaves them."""

from pathlib import Path

CENTRE = """
from dataclasses import dataclass
import torch
from keepsight.method.selection import Selected

@dataclass(frozen=True)
class Centre:
    retention: float = 0.5
    places: tuple = ()

    def select(self, tokens, scores):
        indices = torch.tensor([len(tokens) // 2])
        return Selected(tokens[indices].clone(), indices)
"""


def install(folder: Path, distribution: str, module: str, code: str, version: str = "1.2", **groups: str) -> Path:
    """A package of one module; groups are such as `selectors="centre = module:Centre"`."""
    folder.mkdir(exist_ok=True)
    (folder / f"{module}.py").write_text(code, encoding="utf-8")
    info = folder / f"{distribution.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n", encoding="utf-8"
    )
    lines = [f"[keepsight.{group}]\n{points}\n" for group, points in groups.items()]
    (info / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")
    return folder
