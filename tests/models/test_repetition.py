"""generation_config.json as published: the repetition penalty, by transformers' own processor over whole sequences."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import RepetitionPenaltyLogitsProcessor

from keepsight.errors import SettingError
from keepsight.method.prompts import captions_context, question_text
from keepsight.method.protocol import AnswerRequest, DescribeRequest, VisualInput
from keepsight.models.adapter import VideoAdapter
from keepsight.models.loading import load_model
from keepsight.settings import DESCRIBE_PROMPT
from tests.models.arch_llava_onevision import LlavaOnevision
from tests.models.arch_qwen2_5_vl import Qwen25VL
from tests.models.architecture import Architecture, StockPrompt, random_frames
from tests.models.contract_pair import Pair

PENALTY = 1.3
CONTEXT = captions_context(["[00:00-00:16] a dog arrives", "[00:16-00:32] a red cat leaves the kitchen"])
NEW_TOKENS = 12


class PenalisedPair(Pair):
    """Pair of a checkpoint whose generation_config.json has a repetition penalty."""

    def __init__(self, architecture: Architecture, folder: Path) -> None:
        architecture.write(folder)
        path = folder / "generation_config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"repetition_penalty": PENALTY}))
        super().__init__(architecture, folder)

    def penalised(self, prompt: StockPrompt, tokens: Tensor, penalty: float = PENALTY) -> list[int]:
        """The stock model's reply: a pass over all tokens for each, with transformers' processor on the logits."""
        process = RepetitionPenaltyLogitsProcessor(penalty)
        words = [token for token in prompt.ids if token != self.stock.placeholder_id]
        ends = self.stock.model.generation_config.eos_token_id
        reply: list[int] = []
        while len(reply) < NEW_TOKENS and not (reply and reply[-1] in ends):
            with torch.no_grad():
                logits = self.stock.run(prompt, tokens, reply).logits[:, -1]
            reply.append(int(process(torch.tensor([[*words, *reply]]), logits).argmax()))
        return reply


@pytest.fixture(scope="module", params=[LlavaOnevision(), Qwen25VL()], ids=str)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> PenalisedPair:
    return PenalisedPair(request.param, tmp_path_factory.mktemp("model") / "checkpoint")


def clip_of(pair: Pair, seed: int, num_memory: int = 6) -> tuple[VisualInput, StockPrompt, Tensor]:
    frames = random_frames(4, seed=seed)
    visual = pair.shown(pair.memory(num_memory), frames)
    prompt = pair.stock.prompt(DESCRIBE_PROMPT, num_memory, frames)
    return visual, prompt, torch.cat([visual.memory, visual.tokens])


def test_captions_are_penalised_as_transformers_does(pair: PenalisedPair) -> None:
    changed = 0
    for seed in range(4):
        visual, prompt, tokens = clip_of(pair, seed)
        expected = pair.penalised(prompt, tokens)
        request = DescribeRequest(max_new_tokens=NEW_TOKENS)
        description, found = pair.reply_ids(lambda visual=visual, request=request: pair.model.describe(visual, request))  # type: ignore[misc]
        assert found == expected
        changed += expected != pair.stock.reply(prompt, tokens, NEW_TOKENS)
        scores = pair.stock.scores(prompt, tokens, expected, pair.model.info.score_layers)
        torch.testing.assert_close(description.scores.double(), scores, rtol=1e-4, atol=1e-9)
    assert changed  # the penalty matters


def test_drafts_change_nothing(pair: PenalisedPair) -> None:
    """A draft's later tokens are judged with its earlier ones counted, and rejected ones are not counted afterwards."""
    for seed in range(4):
        visual, prompt, tokens = clip_of(pair, seed)
        expected = pair.penalised(prompt, tokens)
        text = pair.stock.text(expected)
        stray = pair.stock.text([*expected[:3], *expected[:3], *expected[4:]])
        for captions in ((text,), (stray,), (stray, text)):
            request = DescribeRequest(max_new_tokens=NEW_TOKENS, recent_captions=captions)
            _, found = pair.reply_ids(lambda visual=visual, request=request: pair.model.describe(visual, request))  # type: ignore[misc]
            assert found == expected


def test_a_batch_is_penalised_row_by_row(pair: PenalisedPair) -> None:
    """Prompts of several lengths: padding counts as no token."""
    clips = [clip_of(pair, seed, num_memory) for seed, num_memory in enumerate((0, 6, 3))]
    request = DescribeRequest(max_new_tokens=NEW_TOKENS)
    found = pair.model.describe_batch([visual for visual, _, _ in clips], request)
    for description, (_, prompt, tokens) in zip(found, clips, strict=True):
        assert description.caption == pair.stock.text(pair.penalised(prompt, tokens))


def test_answers_are_penalised_by_their_captions_too(pair: PenalisedPair) -> None:
    question = "Where is the dog now?"
    prompt = pair.stock.prompt(question_text(CONTEXT, question), 0, [])
    expected = pair.stock.text(pair.penalised(prompt, pair.nothing))
    assert "".join(pair.model.answer(AnswerRequest(CONTEXT, question, None, max_new_tokens=NEW_TOKENS))) == expected


def test_another_penalty_can_be_asked_for(pair: PenalisedPair) -> None:
    visual, prompt, tokens = clip_of(pair, 1)
    request = DescribeRequest(max_new_tokens=NEW_TOKENS)
    for penalty in (1.0, 0.8, 2.0):
        model = load_model(pair.folder, device="cpu", repetition_penalty=penalty)
        assert model.describe(visual, request).caption == pair.stock.text(pair.penalised(prompt, tokens, penalty))
    plain = load_model(pair.folder, device="cpu", repetition_penalty=1.0)
    assert plain.describe(visual, request).caption == pair.stock.text(pair.stock.reply(prompt, tokens, NEW_TOKENS))
    for penalty in (0.0, -1.0, 1e-300, 101.0, float("inf"), float("nan")):
        with pytest.raises(
            SettingError, match=rf"^repetition_penalty must be a number from 0\.01 to 100, got {penalty}$"
        ):
            load_model(pair.folder, device="cpu", repetition_penalty=penalty)


def test_compiled_passes_penalise_too(tmp_path: Path) -> None:
    torch.compiler.reset()
    pair = PenalisedPair(LlavaOnevision(), tmp_path / "checkpoint")
    graphs: list[Any] = []

    def backend(graph: Any, inputs: Sequence[Tensor]) -> Any:
        del inputs
        graphs.append(graph)
        return graph.forward

    assert isinstance(pair.model, VideoAdapter)
    pair.model.compile_passes(backend)
    clips = [clip_of(pair, seed) for seed in range(3)]
    request = DescribeRequest(max_new_tokens=NEW_TOKENS)
    for description, (_, prompt, tokens) in zip(
        pair.model.describe_batch([visual for visual, _, _ in clips], request), clips, strict=True
    ):
        assert description.caption == pair.stock.text(pair.penalised(prompt, tokens))
    visual, prompt, tokens = clips[0]
    expected = pair.stock.text(pair.penalised(prompt, tokens))
    with_draft = DescribeRequest(max_new_tokens=NEW_TOKENS, recent_captions=(expected,))
    assert pair.model.describe(visual, with_draft).caption == expected
    assert graphs


def test_what_is_not_followed_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = LlavaOnevision().write(tmp_path / "model")
    path = folder / "generation_config.json"
    with caplog.at_level(logging.WARNING, "keepsight"):
        load_model(folder, device="cpu")
        assert caplog.messages == []
        path.write_text(json.dumps(json.loads(path.read_text()) | {"no_repeat_ngram_size": 3, "num_beams": 4}))
        load_model(folder, device="cpu")
    assert caplog.messages == [f"{folder}: no_repeat_ngram_size, num_beams in generation_config.json is not followed"]
