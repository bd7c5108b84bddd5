"""Where Qwen2.5-VL's steps stand at any frame rate: as transformers places them, above four frames a second, too."""

from fractions import Fraction

import pytest
import torch

from keepsight.models.adapters.qwen2_5_vl import exact_interval
from keepsight.models.prompting.positions import GridRule
from keepsight.settings import DESCRIBE_PROMPT
from tests.models.arch_qwen2_5_vl import Qwen25VL
from tests.models.architecture import random_frames
from tests.models.contract_pair import Pair

RATES = [Fraction(1, 2), 1, Fraction(3, 2), 2, 3, 4, 5, 6, 8, 10, Fraction(25, 2), 24, 25, 30]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    architecture = Qwen25VL()
    return Pair(architecture, architecture.write(tmp_path_factory.mktemp("model")))


@pytest.mark.parametrize("fps", RATES, ids=str)
def test_steps_stand_where_transformers_puts_them(pair: Pair, fps: Fraction | int) -> None:
    steps = torch.arange(40)
    ours = GridRule(1, 1, exact_interval(float(2 * 2 / fps))).position_of(steps)
    assert ours.tolist() == [int(step * Fraction(4) / fps) for step in range(40)]
    stock = pair.stock.model.model.get_vision_position_ids(0, torch.tensor([40, 1, 1]), time_interval=float(4 / fps))
    # transformers multiplies in float32, which may fall short of a whole position by one
    assert (ours - stock[0]).abs().max() <= (0 if Fraction(4) / fps in (1, 2, 4, 8) else 1)


@pytest.mark.parametrize("video_fps", [29.97, 23.976, 25.0, 59.94])
@pytest.mark.parametrize("sample_fps", [0.5, 1, 2, 4, 8])
def test_times_a_little_off_move_no_step(video_fps: float, sample_fps: float) -> None:
    """The frame of a video nearest to each sampling time, over 16 frames."""
    times = [round(number / sample_fps * video_fps) / video_fps for number in range(16)]
    spacing = (times[-1] - times[0]) / 15
    steps = torch.arange(8)
    exact = GridRule(1, 1, Fraction(4) / Fraction(sample_fps)).position_of(steps)
    assert GridRule(1, 1, exact_interval(4 * spacing)).position_of(steps).tolist() == exact.tolist()


@pytest.mark.parametrize("fps", [1.0, 5.0, 8.0, 30.0])
def test_the_decoder_sees_them(pair: Pair, fps: float) -> None:
    frames = random_frames(10)
    seconds = tuple(number / fps for number in range(10))
    visual = pair.shown(pair.memory(3), frames, seconds)
    prompt = pair.stock.prompt(DESCRIBE_PROMPT, 3, frames, seconds)
    assert prompt.positions is not None
    assert torch.equal(pair.prompt_seen(visual, prompt).positions, prompt.positions)
