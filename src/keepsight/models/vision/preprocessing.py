"""Frames to pixel tensors, by the checkpoint's preprocessor file.

Implemented here because transformers' video processor needs torchvision. Same steps: RGB, resize, rescale to 0..1,
normalise per channel.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from keepsight.errors import ModelError, SettingError
from keepsight.models.json_files import read_object

PREPROCESSOR_FILES = {"video": "video_preprocessor_config.json", "image": "preprocessor_config.json"}
"""Files with preprocessor settings; `processor_config.json` nests both kinds and is read first."""

_CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
_CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class FramePreprocessor:
    """Preprocessing of frames.

    Attributes:
        height: height of resized frames.
        width: width of resized frames.
        mean: per channel, R G B, of the 0..1 range.
        std: per channel, R G B, of the 0..1 range.
        rescale_factor: factor from grey levels to the 0..1 range.
        resample: PIL's resize filter number; 3 is bicubic.
        crops_centre: whether to keep the aspect ratio and crop to the centre, like CLIP's processor; otherwise frames
            are squeezed.

    Raises:
        SettingError: a size is below 1, a mean or std has not three values, or a std is not positive.
    """

    height: int
    width: int
    mean: tuple[float, ...] = _CLIP_MEAN
    std: tuple[float, ...] = _CLIP_STD
    rescale_factor: float = 1 / 255
    resample: int = Image.Resampling.BICUBIC.value
    crops_centre: bool = False

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1:
            raise SettingError(f"frame height and width must be at least 1 pixel, got {self.height} x {self.width}")
        if len(self.mean) != 3 or len(self.std) != 3 or min(self.std) <= 0:
            raise SettingError(f"mean and std must be three values each, std above 0, got {self.mean} and {self.std}")
        if self.resample not in {filter_.value for filter_ in Image.Resampling}:
            raise SettingError(f"resample must be a PIL filter from 0 to 5, got {self.resample}")

    def __call__(
        self,
        frames: Sequence[np.ndarray],
        size: tuple[int, int] | None = None,
        device: torch.device | None = None,
    ) -> Tensor:
        """Pixel tensor of frames in time order.

        Args:
            frames: uint8 RGB `[height, width, 3]`, any size, at least one.
            size: height and width in pixels, for models with several sizes; None for the preprocessor's own.
            device: device of the arithmetic after resizing; frames are transferred as bytes. None for the CPU.

        Returns:
            float32 `[1, num_frames, 3, height, width]`, contiguous, on that device.

        Raises:
            SettingError: no frame, or one that is not uint8 RGB.
        """
        if not frames:
            raise SettingError("frames must have at least one frame, got none")
        height, width = size or (self.height, self.width)
        resized = torch.stack([self._one_frame(frame, height, width) for frame in frames]).to(device)
        pixels = resized.permute(0, 3, 1, 2).float() * self.rescale_factor
        mean, std = (torch.tensor(values, device=device).view(3, 1, 1) for values in (self.mean, self.std))
        return ((pixels - mean) / std).unsqueeze(0).contiguous()

    def _one_frame(self, frame: np.ndarray, height: int, width: int) -> Tensor:
        """One resized frame: uint8 `[height, width, 3]`."""
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or frame.size == 0:
            raise SettingError(f"a frame must be uint8 [height, width, 3], got {frame.dtype} {list(frame.shape)}")
        if frame.shape[:2] != (height, width):
            picture = Image.fromarray(np.ascontiguousarray(frame), "RGB")
            resize = self._fill if self.crops_centre else self._squeeze
            frame = np.asarray(resize(picture, height, width))
        return torch.from_numpy(np.array(frame))

    def _squeeze(self, picture: Image.Image, height: int, width: int) -> Image.Image:
        return picture.resize((width, height), Image.Resampling(self.resample))

    def _fill(self, picture: Image.Image, height: int, width: int) -> Image.Image:
        """Resize the shorter side, crop the longer to its centre; both sizes rounded down, like stock."""
        if picture.width * height <= picture.height * width:
            whole = (width, picture.height * width // picture.width)
        else:
            whole = (picture.width * height // picture.height, height)
        left, top = (whole[0] - width) // 2, (whole[1] - height) // 2
        return self._squeeze(picture, whole[1], whole[0]).crop((left, top, left + width, top + height))


def make_preprocessor(settings: Mapping[str, Any], frame_size: tuple[int, int]) -> FramePreprocessor:
    """Preprocessor of a checkpoint's settings; missing ones default to CLIP's processor.

    Args:
        settings: from `read_settings`.
        frame_size: height and width of resized frames.

    Raises:
        ModelError: a setting has another type or is out of range.
    """
    try:
        return FramePreprocessor(
            height=frame_size[0],
            width=frame_size[1],
            mean=tuple(float(value) for value in settings.get("image_mean") or _CLIP_MEAN),
            std=tuple(float(value) for value in settings.get("image_std") or _CLIP_STD),
            rescale_factor=float(settings.get("rescale_factor") or 1 / 255),
            resample=int(settings.get("resample", Image.Resampling.BICUBIC.value)),
            crops_centre=bool(settings.get("do_center_crop")),
        )
    except (TypeError, ValueError) as error:
        raise ModelError(f"cannot use the preprocessor's settings, download the model again: {error}") from error


def check_frame_size(settings: Mapping[str, Any], folder: Path, frame_size: tuple[int, int]) -> None:
    """Check that the settings ask for the frame size that the vision tower needs.

    Raises:
        ModelError: they do not.
    """
    size = settings.get("size") or {}
    edge = size.get("shortest_edge")
    asked = (edge, edge) if edge else (size.get("height", frame_size[0]), size.get("width", frame_size[1]))
    if asked != frame_size:
        raise ModelError(
            f"{folder} resizes frames to {asked[0]} x {asked[1]} pixels, "
            f"but its vision tower needs {frame_size[0]} x {frame_size[1]}"
        )


def read_settings(folder: Path, kinds: Sequence[str] = ("video", "image")) -> Mapping[str, Any]:
    """Preprocessor settings of a checkpoint; empty if there are none.

    Args:
        folder: the checkpoint's folder.
        kinds: keys of `PREPROCESSOR_FILES`; the first existing file wins.

    Raises:
        ModelError: a preprocessor file is not a JSON object.
    """
    nested = read_object(folder / "processor_config.json")
    for kind in kinds:
        if isinstance(section := nested.get(f"{kind}_processor"), dict):
            return dict(section)
    for kind in kinds:
        if settings := read_object(folder / PREPROCESSOR_FILES[kind]):
            return settings
    return {}


def read_processor_class(folder: Path) -> str | None:
    """Name of the transformers processor that a checkpoint was made for, None if its files name none.

    Raises:
        ModelError: a preprocessor file is not JSON.
    """
    for file in ("processor_config.json", *PREPROCESSOR_FILES.values()):
        if name := read_object(folder / file).get("processor_class"):
            return str(name)
    return None
