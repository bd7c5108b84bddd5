"""Batches of frames for the vision tower, against a plain loop over all of them."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from keepsight.errors import SettingError
from keepsight.method.protocol import ModelInfo
from keepsight.models.loading import load_model
from keepsight.models.vision.batches import encode_batches, frames_in_batch
from keepsight.models.vision.preprocessing import FramePreprocessor


class Tower:
    """Gives a frame two tokens that depend on all frames of its batch and on its place, as rounding does."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []

    def __call__(self, frames: Sequence[np.ndarray]) -> Tensor:
        values = [int(frame.sum()) for frame in frames]
        self.batches.append(values)
        rows = [[value, place + 10 * sum(values)] for place, value in enumerate(values)]
        return torch.tensor(rows, dtype=torch.float64).repeat_interleave(2, dim=0)


@given(st.lists(st.integers(0, 2), min_size=1, max_size=24), st.integers(1, 8))
def test_the_tokens_are_those_of_every_batch_encoded(values: list[int], size: int) -> None:
    frames = [np.full((2, 3, 3), value, dtype=np.uint8) for value in values]
    tower, plain = Tower(), Tower()
    tokens = encode_batches(frames, size, tower)
    starts = range(0, len(frames), size)
    assert torch.equal(tokens, torch.cat([plain(frames[start : start + size]) for start in starts]))
    new = [batch for place, batch in enumerate(plain.batches) if place == 0 or batch != plain.batches[place - 1]]
    assert tower.batches == new


def test_one_changed_byte_is_another_frame() -> None:
    still = np.zeros((90, 160, 3), dtype=np.uint8)
    changed = still.copy()
    changed[-1, -1, -1] = 1
    tower = Tower()
    encode_batches([still, still.copy(), changed, changed.T.copy().T, still], 1, tower)
    assert tower.batches == [[0], [1], [0]]


def test_frames_of_other_sizes_or_types_are_not_equal() -> None:
    shapes_and_types = (((2, 6, 3), np.uint8), ((6, 2, 3), np.uint8), ((6, 2, 3), np.int64))
    tower = Tower()
    encode_batches([np.zeros(shape, dtype) for shape, dtype in shapes_and_types], 1, tower)
    assert len(tower.batches) == 3


def test_a_frame_of_another_type_is_refused_after_one_that_is_equal() -> None:
    frames: list[np.ndarray] = [np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8, 3), np.float32)]
    prepare = FramePreprocessor(8, 8)
    with pytest.raises(SettingError, match="a frame must be uint8"):
        encode_batches(frames, 1, lambda batch: prepare(batch)[0])


def test_the_bundled_models_encode_a_still_clip_in_part(caplog: pytest.LogCaptureFixture) -> None:
    model = load_model("tiny", device="cpu")
    frames = [np.full((96, 96, 3), 7, dtype=np.uint8)] * 16
    with caplog.at_level("DEBUG", logger="keepsight.models.vision.batches"):
        model.encode(frames)
    assert caplog.messages == ["encoded 8 of 16 frames; the others repeat the batch before"]


@pytest.mark.parametrize(
    ("device", "token_grid", "frames_per_step", "most_frames", "expected"),
    [
        ("cpu", (14, 14), 1, 16, 1),  # LLaVA-OneVision
        ("cpu", (14, 14), 2, 16, 2),  # Qwen: one step
        ("cpu", (16, 16), 1, 4, 1),  # Gemma 3
        ("cpu", (8, 8), 1, 16, 1),  # SmolVLM2
        ("cpu", (7, 9), 1, 16, 2),
        ("cpu", (3, 3), 1, 16, 8),  # the bundled models
        ("cpu", (3, 3), 2, 16, 16),
        ("cpu", (1, 1), 1, 16, 16),
        ("cuda:1", (14, 14), 1, 16, 16),
        ("cuda", (16, 16), 1, 4, 4),
        ("mps", (14, 14), 1, 16, 16),
    ],
)
def test_batches_on_a_cpu_have_64_tokens(
    device: str, token_grid: tuple[int, int], frames_per_step: int, most_frames: int, expected: int
) -> None:
    info = ModelInfo(
        name="any",
        architecture="Any",
        num_parameters=1,
        device=device,
        dtype="float32",
        memory_bytes=1,
        dim=8,
        context_window_tokens=64,
        frame_size_pixels=(24, 24),
        token_grid=token_grid,
        score_layers=(1,),
        frames_per_step=frames_per_step,
    )
    assert frames_in_batch(info, most_frames) == expected
