"""Apple's GPU, as far as a CPU can show it: nothing on the path of a clip and a question that the device lacks."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from keepsight.errors import SettingError
from keepsight.method.protocol import AnswerRequest, DescribeRequest, VisualInput
from keepsight.models.hardware.devices import choose_device
from keepsight.models.loading import load_model
from tests.models.architecture import Architecture, random_frames
from tests.models.architectures import ARCHITECTURES
from tests.models.fake_mps import FakeMps


@pytest.fixture(params=ARCHITECTURES, ids=str)
def model(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    architecture: Architecture = request.param
    return load_model(architecture.write(tmp_path), device="cpu", dtype="float32")


def test_a_clip_and_a_question_need_nothing_that_the_device_lacks(model: Any) -> None:
    frames = random_frames(4)
    with FakeMps() as device:
        tokens = model.encode(frames)
        shown = VisualInput(tokens[::3], tokens, token_grid=model.token_grid(*frames[0].shape[:2]))
        model.describe_batch([shown, shown], DescribeRequest(max_new_tokens=4))
        description = model.describe(shown, DescribeRequest(max_new_tokens=4, recent_captions=("a dog arrives",)))
        answer = "".join(model.answer(AnswerRequest("", "Where is the dog?", shown, max_new_tokens=4)))
        model.embed(answer or "a dog")
    assert len(description.scores) == len(tokens)
    assert "aten::linear" in device.names or "aten::mm" in device.names or "aten::addmm" in device.names


@pytest.mark.parametrize(
    "work",
    [
        pytest.param(lambda: torch.ones(2).double(), id="cast"),
        pytest.param(lambda: torch.arange(3, dtype=torch.float64), id="created"),
        pytest.param(lambda: torch.geqrf(torch.ones(2, 2)), id="no-kernel"),
    ],
)
def test_the_fake_device_refuses(work: Callable[[], object]) -> None:
    with FakeMps(), pytest.raises((TypeError, NotImplementedError), match="MPS"):
        work()


@pytest.mark.parametrize(
    ("num_cuda", "has_mps", "asked", "given"),
    [
        (0, False, None, "cpu"),
        (0, True, None, "mps"),
        (0, True, "auto", "mps"),
        (0, True, "mps", "mps"),
        (0, True, "cpu", "cpu"),
        (2, True, "auto", "cuda:0"),
        (2, False, "cuda", "cuda:0"),
        (2, False, "cuda:1", "cuda:1"),
    ],
)
def test_the_device_is_cuda_then_mps_then_the_cpu(
    monkeypatch: pytest.MonkeyPatch, num_cuda: int, has_mps: bool, asked: str | None, given: str
) -> None:
    here(monkeypatch, num_cuda, has_mps)
    assert choose_device(asked) == torch.device(given)


@pytest.mark.parametrize(
    ("num_cuda", "has_mps", "asked", "allowed"),
    [
        (0, False, "mps", "auto, cpu"),
        (0, True, "cuda", "auto, cpu, mps"),
        (2, False, "cuda:2", "auto, cpu, cuda:0, cuda:1"),
        (2, False, "cuda:x", "auto, cpu, cuda:0, cuda:1"),
        (2, True, "mps:1", "auto, cpu, cuda:0, cuda:1, mps"),
    ],
)
def test_a_device_that_is_not_there_is_refused_with_those_that_are(
    monkeypatch: pytest.MonkeyPatch, num_cuda: int, has_mps: bool, asked: str, allowed: str
) -> None:
    here(monkeypatch, num_cuda, has_mps)
    with pytest.raises(SettingError) as caught:
        choose_device(asked)
    assert str(caught.value).startswith(f"device must be one of {allowed} on this machine, got {asked!r}")


def here(monkeypatch: pytest.MonkeyPatch, num_cuda: int, has_mps: bool) -> None:
    """Let torch report these devices."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: num_cuda > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: num_cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: has_mps)
