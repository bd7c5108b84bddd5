"""A kind of source for Keepsight. The process that decodes imports this module, so it does without torch."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs

import numpy as np

from keepsight import SourceNotFoundError
from keepsight.sources.reader import ArrayReader, Reader


@dataclass(frozen=True)
class ArrayFolder:
    """A folder of pictures as `.npy` files, in the order of their names: uint8 RGB `[height, width, 3]` each.

    Its address is such as `npy:///data/frames?fps=2`.
    """

    path: str
    fps: float = 1.0

    @classmethod
    def from_address(cls, text: str) -> "ArrayFolder":
        """The folder of an address; a relative one is resolved, so that the name means the same from everywhere."""
        folder, _, query = text.partition("://")[2].partition("?")
        given = parse_qs(query, strict_parsing=True) if query else {}
        fps = float(given.pop("fps", ["1"])[-1])
        if given or not fps > 0:
            raise ValueError(f"after ? stands fps=NUMBER above 0 alone, got {query}")
        return cls(str(Path(folder).resolve()), fps)

    @property
    def name(self) -> str:
        """The address again."""
        return f"npy://{self.path}?fps={self.fps:g}"

    def items(self) -> list[tuple[str, str]]:
        """Name and size of each file: what tells the folder from another, and whether it has grown."""
        return [(path.name, str(path.stat().st_size)) for path in self._files()]

    def open(self) -> Reader:
        """Called in the process that decodes."""
        files = self._files()
        if not files:
            raise SourceNotFoundError(f"no .npy files in {self.path}")
        pictures = ((number / self.fps, np.load(path)) for number, path in enumerate(files))
        return ArrayReader(
            pictures, duration_seconds=len(files) / self.fps, average_fps=self.fps, num_frames=len(files), codec="npy"
        )

    def _files(self) -> list[Path]:
        return sorted(Path(self.path).glob("*.npy"))
