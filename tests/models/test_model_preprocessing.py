"""Pixels against transformers' own image processor (its PIL backend), and the files that hold the settings."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

from keepsight.errors import ModelError, SettingError
from keepsight.models.vision.preprocessing import FramePreprocessor, check_frame_size, make_preprocessor, read_settings

MEAN, STD = (0.5, 0.4, 0.3), (0.5, 0.25, 0.2)


@settings(max_examples=25, deadline=None)
@given(height=st.integers(1, 90), width=st.integers(1, 90), count=st.integers(1, 3), seed=st.integers(0, 99))
def test_pixels_are_those_of_the_stock_processor(height: int, width: int, count: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    frames = [generator.integers(0, 256, (height, width, 3), dtype=np.uint8) for _ in range(count)]
    pixels = FramePreprocessor(24, 24, MEAN, STD)(frames)
    stock = SiglipImageProcessorPil(size={"height": 24, "width": 24}, image_mean=MEAN, image_std=STD, resample=3)
    expected = torch.from_numpy(stock(frames, return_tensors="np", input_data_format="channels_last")["pixel_values"])
    torch.testing.assert_close(pixels[0], expected, rtol=0, atol=1e-4)
    assert pixels.shape == (1, count, 3, 24, 24)
    assert pixels.dtype == torch.float32
    assert pixels.is_contiguous()


def test_channels_are_red_green_blue() -> None:
    frame = np.zeros((8, 8, 3), dtype=np.uint8)
    frame[..., 0] = 255
    pixels = FramePreprocessor(8, 8, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))([frame])
    assert pixels[0, 0].mean(dim=(1, 2)).tolist() == pytest.approx([1, 0, 0])


@pytest.mark.parametrize(
    "frame",
    [
        np.zeros((8, 8), dtype=np.uint8),
        np.zeros((8, 8, 4), dtype=np.uint8),
        np.zeros((8, 8, 3), dtype=np.float32),
        np.zeros((0, 8, 3), dtype=np.uint8),
    ],
    ids=["grey", "alpha", "float", "empty"],
)
def test_what_is_no_rgb_frame_is_refused(frame: np.ndarray) -> None:
    with pytest.raises(SettingError, match="uint8"):
        FramePreprocessor(8, 8)([frame])


@pytest.mark.parametrize(
    "wrong",
    [{"height": 0}, {"mean": (0.5,)}, {"std": (0.5, 0.0, 0.5)}, {"resample": 9}],
    ids=str,
)
def test_impossible_settings_are_refused(wrong: dict[str, Any]) -> None:
    settings: dict[str, Any] = {"height": 8, "width": 8}
    with pytest.raises(SettingError):
        FramePreprocessor(**(settings | wrong))


SQUARE = {"height": 20, "width": 20}


@pytest.mark.parametrize(
    ("files", "mean"),
    [
        ({"preprocessor_config.json": {"size": SQUARE, "image_mean": MEAN}}, MEAN),
        ({"preprocessor_config.json": {"size": {"shortest_edge": 20}, "image_mean": MEAN}}, MEAN),
        (
            {"video_preprocessor_config.json": {"image_mean": MEAN}, "preprocessor_config.json": {"image_mean": STD}},
            MEAN,
        ),
        ({"processor_config.json": {"video_processor": {"image_mean": MEAN}}}, MEAN),
        ({"processor_config.json": {"image_processor": {"image_mean": MEAN}}}, MEAN),
        ({"processor_config.json": {}, "preprocessor_config.json": {"image_mean": MEAN}}, MEAN),
        ({}, (0.48145466, 0.4578275, 0.40821073)),
    ],
)
def test_settings_are_found_where_checkpoints_keep_them(
    tmp_path: Path, files: dict[str, object], mean: tuple[float, ...]
) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(json.dumps(content))
    found = read_settings(tmp_path)
    check_frame_size(found, tmp_path, (20, 20))
    preprocessor = make_preprocessor(found, (20, 20))
    assert (preprocessor.height, preprocessor.width, preprocessor.mean) == (20, 20, mean)


def test_another_size_than_the_towers_is_refused(tmp_path: Path) -> None:
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"size": {"height": 32, "width": 32}}))
    with pytest.raises(ModelError, match="32 x 32 pixels, but its vision tower needs 20 x 20"):
        check_frame_size(read_settings(tmp_path), tmp_path, (20, 20))


def test_a_settings_file_that_is_no_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "preprocessor_config.json").write_text("{")
    with pytest.raises(ModelError, match=r"preprocessor_config\.json is not JSON"):
        read_settings(tmp_path)


@pytest.mark.parametrize(
    "settings", [{"image_mean": "grey"}, {"image_mean": [0.5]}, {"rescale_factor": "x"}, {"resample": []}]
)
def test_settings_that_are_no_numbers_are_one_line(settings: dict[str, object]) -> None:
    with pytest.raises(ModelError, match=r"^cannot use the preprocessor's settings, download the model again: .+$"):
        make_preprocessor(settings, (20, 20))


@pytest.mark.parametrize("content", ["[]", "5", "null"])
def test_settings_that_are_no_object_are_refused(tmp_path: Path, content: str) -> None:
    """CLIP's mean and std would be taken silently."""
    (tmp_path / "preprocessor_config.json").write_text(content)
    with pytest.raises(ModelError, match=r"preprocessor_config\.json must be a JSON object, got"):
        read_settings(tmp_path)
