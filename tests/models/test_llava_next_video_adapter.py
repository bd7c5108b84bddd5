"""What LLaVA-NeXT-Video alone has: frames cut to their middle square, as CLIP's processor cuts them."""

import numpy as np
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from transformers import LlavaNextVideoConfig
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from keepsight.models.adapters.llava_next_video import LlavaNextVideoAdapter
from keepsight.models.vision.preprocessing import make_preprocessor
from tests.models.arch_llava_next_video import LlavaNextVideo

SETTINGS = LlavaNextVideo().settings()
SIDE = SETTINGS["size"]["shortest_edge"]


@given(height=st.integers(1, 90), width=st.integers(1, 90), seed=st.integers(0, 99))
@example(height=SIDE, width=SIDE, seed=0)
@example(height=SIDE, width=SIDE + 1, seed=0)
@example(height=71, width=3, seed=0)
def test_pixels_are_those_of_the_stock_processor(height: int, width: int, seed: int) -> None:
    frame = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    stock = CLIPImageProcessorPil(**SETTINGS)
    expected = stock([frame], return_tensors="pt", input_data_format="channels_last")["pixel_values"]
    pixels = make_preprocessor(SETTINGS, (SIDE, SIDE))([frame])
    torch.testing.assert_close(pixels[0], expected, rtol=0, atol=1e-4)


def test_frames_are_squeezed_where_the_settings_do_not_ask_for_a_cut() -> None:
    frame = np.zeros((SIDE, 3 * SIDE, 3), dtype=np.uint8)
    frame[:, SIDE : 2 * SIDE] = 255
    whole = SETTINGS | {"do_center_crop": None, "image_mean": [0.0] * 3, "image_std": [1.0] * 3}
    cut = whole | {"do_center_crop": True}
    assert float(make_preprocessor(cut, (SIDE, SIDE))([frame]).min()) == 1.0
    assert float(make_preprocessor(whole, (SIDE, SIDE))([frame]).min()) == 0.0


def test_the_sizes_of_the_published_model() -> None:
    """By transformers' default configuration, which is that of `LLaVA-NeXT-Video-7B-hf`."""
    shape = LlavaNextVideoAdapter.shape(LlavaNextVideoConfig(), {})
    assert shape.token_grid == (12, 12)
    assert (shape.frame_height, shape.frame_width) == (336, 336)
    assert shape.patches_per_frame == 577
    assert 6.9e9 < shape.num_parameters < 7.2e9
