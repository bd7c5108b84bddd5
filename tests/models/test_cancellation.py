"""Work that is not wanted any more is left at the next token or layer. Counted, not timed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from keepsight.errors import WorkCancelledError
from keepsight.method.protocol import AnswerRequest, DescribeRequest, VisualInput
from keepsight.models.cancellation import CancellableModel, Cancellation, cancellable, check_cancelled
from keepsight.models.loading import load_model
from tests.models.random_model import RandomShape, write_random_model

NUM_LAYERS = 4
FRAMES = [np.full((20, 20, 3), 40 * number, np.uint8) for number in range(4)]


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = write_random_model(tmp_path_factory.mktemp("model"), RandomShape(num_layers=NUM_LAYERS))
    return load_model(str(folder))


@contextmanager
def counted(layers: nn.ModuleList, at: Callable[[int], object] = lambda _: None) -> Iterator[list[int]]:
    """Widths of the passes of layers, as they are made; `at` is told the number of each."""
    widths: list[int] = []

    def note(_: nn.Module, __: Any, output: Any) -> None:
        states: Tensor = output[0] if isinstance(output, tuple) else output
        widths.append(states.shape[-2])
        at(len(widths))

    handles = [layer.register_forward_hook(note) for layer in layers]
    try:
        yield widths
    finally:
        for handle in handles:
            handle.remove()


def decoder_layers(adapter: Any) -> nn.ModuleList:
    return adapter._model.get_decoder().layers


def vision_layers(adapter: Any) -> nn.ModuleList:
    return next(
        module
        for name, module in adapter._model.named_modules()
        if "vision" in name and isinstance(module, nn.ModuleList)
    )


def visual(adapter: Any) -> VisualInput:
    tokens = adapter.encode(FRAMES)
    return VisualInput(tokens[:0], tokens)


@pytest.mark.parametrize("at", [1, 2, NUM_LAYERS, NUM_LAYERS + 1, 3 * NUM_LAYERS, 3 * NUM_LAYERS + 2])
def test_nothing_is_done_after_the_layer_at_which_it_is_cancelled(adapter: Any, at: int) -> None:
    """While the prompt is read, between that and the first token, and at a token."""
    clip, cancellation = visual(adapter), Cancellation()
    whole = adapter.describe(clip, DescribeRequest(max_new_tokens=8))
    shown = CancellableModel(adapter, cancellation)

    def cancel_in_time(number: int) -> None:
        if number == at:
            cancellation.cancel()

    with (
        counted(decoder_layers(adapter), cancel_in_time) as passes,
        pytest.raises(WorkCancelledError),
    ):
        shown.describe(clip, DescribeRequest(max_new_tokens=8))
    assert len(passes) == at
    with pytest.raises(WorkCancelledError):
        shown.describe(clip, DescribeRequest(max_new_tokens=8))
    again = adapter.describe(clip, DescribeRequest(max_new_tokens=8))
    assert again.caption == whole.caption
    assert torch.equal(again.scores, whole.scores)


def test_answers_go_on_after_the_describing_is_cancelled(adapter: Any) -> None:
    cancellation = Cancellation()
    cancellation.cancel()
    answers = [
        list(model.answer(AnswerRequest("", "where is the dog?", max_new_tokens=4)))
        for model in (adapter, CancellableModel(adapter, cancellation))
    ]
    assert answers[0] == answers[1] != []


def test_encoding_is_left_at_a_layer_of_the_vision_tower(adapter: Any) -> None:
    cancellation = Cancellation()
    shown = CancellableModel(adapter, cancellation)
    with (
        counted(vision_layers(adapter), lambda _: cancellation.cancel()) as passes,
        pytest.raises(WorkCancelledError),
    ):
        shown.encode(FRAMES)
    assert len(passes) == 1


def test_an_answer_is_left_at_a_token(adapter: Any) -> None:
    cancellation = Cancellation()
    with counted(decoder_layers(adapter)) as passes, cancellable(cancellation):
        pieces = adapter.answer(AnswerRequest("", "where is the dog?", max_new_tokens=32))
        next(pieces)
        before = len(passes)
        cancellation.cancel()
        with pytest.raises(WorkCancelledError):
            list(pieces)
    assert len(passes) == before


def test_only_the_work_inside_is_cancelled(adapter: Any) -> None:
    cancellation = Cancellation()
    cancellation.cancel()
    check_cancelled()
    with cancellable(Cancellation()), cancellable(cancellation), pytest.raises(WorkCancelledError):
        check_cancelled()
    check_cancelled()
    assert adapter.describe(visual(adapter), DescribeRequest(max_new_tokens=2)).num_caption_tokens == 2


def test_who_listens_is_called_once_or_at_once() -> None:
    cancellation, called = Cancellation(), []
    with cancellation.calling(lambda: called.append("left")):
        pass
    with cancellation.calling(lambda: called.append("first")):
        cancellation.cancel()
        cancellation.cancel()
    with cancellation.calling(lambda: called.append("late")):
        assert called == ["first", "late"]


def test_a_compiled_model_is_left_between_passes(tmp_path: Path) -> None:
    folder = write_random_model(tmp_path, RandomShape(num_layers=NUM_LAYERS))
    adapter: Any = load_model(str(folder))
    adapter.compile_passes("eager")
    clip, cancellation, fed = visual(adapter), Cancellation(), []
    run = adapter._compiled.run

    def run_and_cancel(*arguments: Any) -> Any:
        fed.append(1)
        if len(fed) == 2:
            cancellation.cancel()
        return run(*arguments)

    adapter._compiled.run = run_and_cancel
    with pytest.raises(WorkCancelledError):
        CancellableModel(adapter, cancellation).describe(clip, DescribeRequest(max_new_tokens=8))
    assert len(fed) == 2
    assert adapter.describe(clip, DescribeRequest(max_new_tokens=8)).num_caption_tokens
