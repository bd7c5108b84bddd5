"""Frames to pixel tensors, as the checkpoint's own preprocessor file asks.

Written here rather than taken from transformers because its video processor needs torchvision, which Keepsight does
without. The steps are those of `LlavaOnevisionVideoProcessor`: RGB, resize, rescale to 0..1, normalise per channel.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from keepsight.errors import ModelError, SettingError

PREPROCESSOR_FILES = ("video_preprocessor_config.json", "preprocessor_config.json")
"""Files that may hold the settings, first found wins; `processor_config.json` nests them and is looked at first."""

_CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
_CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class FramePreprocessor:
    """How frames become pixel tensors.

    Attributes:
        height: pixels that frames are resized to.
        width: pixels that frames are resized to.
        mean: per channel, R G B, of the 0..1 range.
        std: per channel, R G B, of the 0..1 range.
        rescale_factor: factor from grey levels to the 0..1 range.
        resample: PIL's number of the resize filter; 3 is bicubic.

    Raises:
        SettingError: a size is below 1, a mean or std has not three values, or a std is not positive.
    """

    height: int
    width: int
    mean: tuple[float, ...] = _CLIP_MEAN
    std: tuple[float, ...] = _CLIP_STD
    rescale_factor: float = 1 / 255
    resample: int = Image.Resampling.BICUBIC.value

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1:
            raise SettingError(f"frame size is {self.height} x {self.width} pixels; allowed are 1 and more")
        if len(self.mean) != 3 or len(self.std) != 3 or min(self.std) <= 0:
            raise SettingError(f"mean {self.mean} and std {self.std} must be three values each, std above 0")
        if self.resample not in {filter_.value for filter_ in Image.Resampling}:
            raise SettingError(f"resample is {self.resample}; allowed are PIL's filters 0 to 5")

    def __call__(self, frames: Sequence[np.ndarray]) -> Tensor:
        """Pixel tensor of frames in time order.

        Args:
            frames: uint8 RGB `[height, width, 3]`, any size, at least one.

        Returns:
            float32 `[1, num_frames, 3, height, width]`, contiguous, on the CPU.

        Raises:
            SettingError: no frame, or one that is not uint8 RGB.
        """
        if not frames:
            raise SettingError("frames is empty; at least one frame is needed")
        pixels = torch.stack([self._one_frame(frame) for frame in frames])
        mean = torch.tensor(self.mean).view(3, 1, 1)
        std = torch.tensor(self.std).view(3, 1, 1)
        return ((pixels - mean) / std).unsqueeze(0).contiguous()

    def _one_frame(self, frame: np.ndarray) -> Tensor:
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or frame.size == 0:
            raise SettingError(f"a frame is {frame.dtype} {list(frame.shape)}; allowed is uint8 [height, width, 3]")
        if frame.shape[:2] != (self.height, self.width):
            picture = Image.fromarray(np.ascontiguousarray(frame), "RGB")
            resized = picture.resize((self.width, self.height), Image.Resampling(self.resample))
            frame = np.asarray(resized)
        grey_levels = torch.from_numpy(np.array(frame, dtype=np.float32)).permute(2, 0, 1)
        return grey_levels * self.rescale_factor


def load_preprocessor(folder: Path, image_size: int) -> FramePreprocessor:
    """Read a checkpoint's preprocessor settings; what the files leave out is the class default of LLaVA-OneVision.

    Args:
        folder: the checkpoint.
        image_size: pixels of the vision tower's side; frames are resized to this square, as the tower takes no other.

    Raises:
        ModelError: a preprocessor file is not JSON, or asks for another frame size than the tower takes.
    """
    settings = _read_settings(folder)
    height, width = _frame_size(settings, image_size)
    if (height, width) != (image_size, image_size):
        raise ModelError(
            f"{folder} resizes frames to {height} x {width} pixels, "
            f"but its vision tower takes {image_size} x {image_size}"
        )
    return FramePreprocessor(
        height=height,
        width=width,
        mean=tuple(float(value) for value in settings.get("image_mean") or _CLIP_MEAN),
        std=tuple(float(value) for value in settings.get("image_std") or _CLIP_STD),
        rescale_factor=float(settings.get("rescale_factor") or 1 / 255),
        resample=int(settings.get("resample", Image.Resampling.BICUBIC.value)),
    )


def _frame_size(settings: Mapping[str, Any], image_size: int) -> tuple[int, int]:
    size = settings.get("size") or {}
    if "shortest_edge" in size:
        return int(size["shortest_edge"]), int(size["shortest_edge"])
    return int(size.get("height", image_size)), int(size.get("width", image_size))


def _read_settings(folder: Path) -> Mapping[str, Any]:
    nested = _read_json(folder / "processor_config.json")
    for section in ("video_processor", "image_processor"):
        if isinstance(nested.get(section), dict):
            return dict(nested[section])
    for name in PREPROCESSOR_FILES:
        if settings := _read_json(folder / name):
            return settings
    return {}


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(f"{path} is not JSON: {error}") from error
    return content if isinstance(content, dict) else {}
