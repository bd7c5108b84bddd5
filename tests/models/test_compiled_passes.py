"""Compiled passes of fixed shape: the same captions, scores and answers, and few shapes however long the memory is."""

from collections.abc import Generator
from typing import Any

import pytest
import torch

from keepsight.errors import ModelError
from keepsight.method.protocol import AnswerRequest, DescribeRequest, VisualInput
from keepsight.models.adapter import VideoAdapter
from keepsight.models.loading import load_model
from tests.models.random_model import ModelFolder
from tests.models.stock_model import random_frames


class CountingBackend:
    """Runs the traced graph as it is, and counts how often one is made."""

    def __init__(self) -> None:
        self.num_graphs = 0

    def __call__(self, graph: Any, _: list[torch.Tensor]) -> Any:
        self.num_graphs += 1
        return graph.forward


@pytest.fixture
def pair(model_folder: ModelFolder) -> tuple[Any, Any, CountingBackend]:
    """A model as it is, the same one with compiled passes, and what counts its graphs."""
    torch.compiler.reset()
    folder = model_folder(num_layers=2, grid=4)
    plain, compiled, backend = load_model(folder), load_model(folder), CountingBackend()
    assert isinstance(compiled, VideoAdapter)
    compiled.compile_passes(backend)
    return plain, compiled, backend


def test_captions_and_scores_stay_the_same_while_memory_fills(pair: tuple[Any, Any, CountingBackend]) -> None:
    plain, compiled, backend = pair
    tokens = plain.encode(random_frames(16))
    for num_memory in (0, 5, 31, 64):
        clip = VisualInput(tokens[:num_memory], tokens)
        expected, found = (model.describe(clip, DescribeRequest(max_new_tokens=9)) for model in (plain, compiled))
        assert (found.caption, found.num_caption_tokens) == (expected.caption, expected.num_caption_tokens)
        torch.testing.assert_close(found.scores, expected.scores, rtol=1e-5, atol=1e-9)
    assert backend.num_graphs == 1


def test_batches_of_unequal_memories_take_a_graph_for_each_power_of_two(
    pair: tuple[Any, Any, CountingBackend],
) -> None:
    plain, compiled, backend = pair
    tokens = plain.encode(random_frames(8))
    for size in (3, 4, 2, 3):
        clips = [VisualInput(tokens[: 5 * number], tokens[: 32 - 4 * number]) for number in range(size)]
        request = DescribeRequest(max_new_tokens=7)
        expected, found = (model.describe_batch(clips, request) for model in (plain, compiled))
        for theirs, ours in zip(expected, found, strict=True):
            assert ours.caption == theirs.caption
            torch.testing.assert_close(ours.scores, theirs.scores, rtol=1e-5, atol=1e-9)
    assert backend.num_graphs == 2


def test_guesses_take_one_graph_more(pair: tuple[Any, Any, CountingBackend]) -> None:
    plain, compiled, backend = pair
    tokens = plain.encode(random_frames(8))
    clip = VisualInput(tokens[:4], tokens)
    expected = plain.describe(clip, DescribeRequest(max_new_tokens=12))
    for recent in ((expected.caption,), ("a red dog arrives . a red dog", expected.caption[:20])):
        found = compiled.describe(clip, DescribeRequest(max_new_tokens=12, recent_captions=recent))
        assert found.caption == expected.caption
        torch.testing.assert_close(found.scores, expected.scores, rtol=1e-5, atol=1e-9)
    assert backend.num_graphs <= 2


def test_a_caption_and_an_answer_in_work_at_once_do_not_share_a_room(pair: tuple[Any, Any, CountingBackend]) -> None:
    plain, compiled, _ = pair
    tokens = plain.encode(random_frames(4))
    clip = VisualInput(tokens[:0], tokens)
    told = "".join(plain.answer(AnswerRequest("", "Where is the dog?", clip, max_new_tokens=10)))
    caption = plain.describe(clip, DescribeRequest(max_new_tokens=10)).caption
    describing = compiled.describing([clip], DescribeRequest(max_new_tokens=10))
    next(describing)
    pieces = compiled.answer(AnswerRequest("", "Where is the dog?", clip, max_new_tokens=10))
    text = next(pieces)
    next(describing)
    text += "".join(pieces)
    assert text == told
    assert result_of(describing)[0].caption == caption


def result_of(work: Generator[None, None, Any]) -> Any:
    """What a generator returns, from where it stands."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch's own compiler
def test_inductor_gives_the_same(model_folder: ModelFolder) -> None:
    """With the compiler that users get; needs a C++ compiler, which CI has."""
    torch.compiler.reset()
    folder = model_folder(num_layers=2, grid=4)
    plain, compiled = load_model(folder), load_model(folder, compile_passes=True)
    tokens = plain.encode(random_frames(8))
    for num_memory in (0, 9):
        clip = VisualInput(tokens[:num_memory], tokens)
        expected, found = (model.describe(clip, DescribeRequest(max_new_tokens=9)) for model in (plain, compiled))
        assert found.caption == expected.caption
        torch.testing.assert_close(found.scores, expected.scores, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("recent", [(), ("a red dog arrives",)], ids=["plain", "drafted"])
def test_logits_that_are_not_finite_are_refused(pair: tuple[Any, Any, CountingBackend], recent: tuple[str]) -> None:
    """The embedding of a word that it says is NaN, so the pass that feeds it is."""
    plain, compiled, backend = pair
    tokens = plain.encode(random_frames(4))
    clip, request = VisualInput(tokens[:0], tokens), DescribeRequest(max_new_tokens=6, recent_captions=recent)
    caption = compiled.describe(clip, request).caption
    assert caption == plain.describe(clip, request).caption
    said = compiled._tokenizer.convert_tokens_to_ids(caption.split()[1])
    embedding = compiled._language.embedding
    assert embedding.weight is not compiled._language.head.weight
    with torch.no_grad():
        embedding.weight[said] = torch.nan
    with pytest.raises(ModelError, match=r"^logits must be finite, got NaN or infinity in float32"):
        compiled.describe(clip, request)
    assert backend.num_graphs >= 1
