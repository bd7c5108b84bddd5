"""Memory at its original positions, and other ways to score, against full eager attention at explicit positions."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from torch import Tensor

from keepsight.errors import SettingError
from keepsight.method.protocol import PAPER_SCORING, DescribeRequest, Description, ScoreRule, VisualInput
from keepsight.models.loading import load_model
from keepsight.models.prompting.positions import GridRule, PieceShape, prompt_positions
from keepsight.settings import DESCRIBE_PROMPT
from tests.models.random_model import ModelFolder
from tests.models.stock_model import StockModel, random_frames

NEW_TOKENS = 10
NUM_MEMORY = 12
CONTIGUOUS = list(range(NUM_MEMORY, 0, -1))
GAPS = {
    "small-gaps": [31, 30, 28, 25, 24, 20, 13, 12, 9, 4, 3, 1],
    "all-far-away": [900 + offset for offset in CONTIGUOUS],
    "one-far-away": [700, *CONTIGUOUS[1:]],
    "evenly": [144 * clip - 20 for clip in CONTIGUOUS],
}


class EagerReference:
    """The stock model, run over the whole sequence at every step, without a cache, at positions that are given."""

    def __init__(self, stock: StockModel, memory: Tensor, tokens: Tensor, offsets: Sequence[int]) -> None:
        self.stock = stock
        ids = self.stock.prompt_ids(DESCRIBE_PROMPT, len(memory) + len(tokens) + 1)
        self.embeds = self.stock.embeds(ids, torch.cat([memory, tokens]))
        first = ids[0].tolist().index(stock.video_id)
        clip = first + (offsets[0] if offsets else 0)  # position of the clip's first token
        num_after = ids.shape[1] - first - len(memory)
        self.positions = [*range(first), *(clip - offset for offset in offsets), *range(clip, clip + num_after)]
        self.columns = list(range(first + len(memory), first + len(memory) + len(tokens)))
        self.reply = self._greedy_reply()

    def scores(self, layers: Sequence[int], heads: str = "mean") -> Tensor:
        """Scores by definition, float64: rows of the reply that were fed back, at the clip's own columns."""
        attentions = self._run(self.reply[:-1] or self.reply).attentions
        rows = torch.stack([attentions[layer - 1][0, :, self.embeds.shape[1] :].double() for layer in layers])
        per_row = rows[..., self.columns]  # [layers, heads, rows, columns]
        return (per_row.amax(dim=1) if heads == "max" else per_row.mean(dim=1)).mean(dim=(0, 1))

    @property
    def caption(self) -> str:
        return self.stock.tokenizer.decode(self.reply, skip_special_tokens=True).strip()

    def _greedy_reply(self) -> list[int]:
        reply: list[int] = []
        while len(reply) < NEW_TOKENS and (not reply or reply[-1] != self.stock.tokenizer.eos_token_id):
            reply.append(int(self._run(reply).logits[0, -1].argmax()))
        return reply

    @torch.inference_mode()
    def _run(self, reply: list[int]) -> Any:
        tail = self.stock.model.get_input_embeddings()(torch.tensor([reply], dtype=torch.int64))
        embeds = torch.cat([self.embeds, tail], dim=1)
        length = embeds.shape[1]
        last = self.positions[-1]
        positions = [*self.positions, *range(last + 1, last + 1 + len(reply))]
        causal = torch.full((length, length), -torch.inf).triu(1)
        return self.stock.model(
            inputs_embeds=embeds,
            position_ids=torch.tensor([positions]),
            attention_mask=causal[None, None],
            output_attentions=True,
        )


class Pair:
    """The adapter and the stock model over one checkpoint, a clip and a memory; each reference is run once."""

    def __init__(self, folder: Path) -> None:
        self.model, self.stock = load_model(folder), StockModel(folder)
        self.tokens = self.model.encode(random_frames(6))
        generator = torch.Generator().manual_seed(7)
        self.memory = torch.randn(NUM_MEMORY, self.tokens.shape[1], generator=generator) * self.tokens.std()
        self._references: dict[tuple[int, ...], EagerReference] = {}

    def describe(
        self, offsets: Sequence[int] | None, scoring: ScoreRule = PAPER_SCORING, num_memory: int = NUM_MEMORY
    ) -> Description:
        placed = None if offsets is None else torch.tensor(offsets, dtype=torch.int64)
        memory = self.memory[:num_memory]
        clip = VisualInput(memory, self.tokens, memory_offsets=placed)
        return self.model.describe(clip, DescribeRequest(max_new_tokens=NEW_TOKENS, scoring=scoring))

    def reference(self, offsets: Sequence[int]) -> EagerReference:
        key = tuple(offsets)
        if key not in self._references:
            self._references[key] = EagerReference(self.stock, self.memory[: len(key)], self.tokens, key)
        return self._references[key]


@pytest.fixture(scope="module")
def pair(model_folder: ModelFolder) -> Pair:
    return Pair(model_folder(num_layers=4, num_heads=6, num_key_value_heads=2, head_dim=8))


@pytest.mark.parametrize("num_memory", [NUM_MEMORY, 0])
def test_offsets_without_gaps_are_contiguous_positions(pair: Pair, num_memory: int) -> None:
    contiguous = list(range(num_memory, 0, -1))
    plain, placed = (pair.describe(offsets, num_memory=num_memory) for offsets in (None, contiguous))
    assert (plain.caption, plain.num_caption_tokens) == (placed.caption, placed.num_caption_tokens)
    torch.testing.assert_close(placed.scores, plain.scores, rtol=1e-5, atol=1e-8)
    reference = pair.reference(contiguous)
    assert placed.caption == reference.caption
    expected = reference.scores(pair.model.info.score_layers)
    torch.testing.assert_close(placed.scores.double(), expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("gaps", GAPS)
def test_gaps_equal_full_eager_attention_at_those_positions(pair: Pair, gaps: str) -> None:
    placed, reference = pair.describe(GAPS[gaps]), pair.reference(GAPS[gaps])
    assert (placed.caption, placed.num_caption_tokens) == (reference.caption, len(reference.reply))
    expected = reference.scores(pair.model.info.score_layers)
    torch.testing.assert_close(placed.scores.double(), expected, rtol=1e-5, atol=1e-7)
    contiguous = pair.reference(CONTIGUOUS).scores(pair.model.info.score_layers)
    assert not torch.allclose(expected, contiguous, rtol=1e-3)  # where memory stands makes a difference


@pytest.mark.parametrize("offsets", [CONTIGUOUS, GAPS["evenly"]], ids=["contiguous", "evenly"])
@pytest.mark.parametrize("heads", ["mean", "max"])
@pytest.mark.parametrize("layers", ["all", (1,), (3,), (4,), (4, 2), None])
def test_a_rule_of_scoring_equals_full_eager_attention(
    pair: Pair, layers: tuple[int, ...] | Literal["all"] | None, heads: str, offsets: list[int]
) -> None:
    scored, reference = pair.describe(offsets, ScoreRule(layers, heads)), pair.reference(offsets)
    meant = (1, 2, 3, 4) if layers == "all" else pair.model.info.score_layers if layers is None else layers
    expected = reference.scores(meant, heads)
    assert scored.caption == reference.caption
    torch.testing.assert_close(scored.scores.double(), expected, rtol=1e-5, atol=1e-7)
    other = reference.scores(meant, "max" if heads == "mean" else "mean")
    assert not torch.allclose(expected, other, rtol=1e-2)


@pytest.mark.parametrize("layers", [(), (0,), (5,), (-1,), (2, 5), (2, 2)])
def test_layers_that_the_model_lacks_are_refused(pair: Pair, layers: tuple[int, ...]) -> None:
    with pytest.raises(SettingError, match="distinct layers from 1 to 4"):
        pair.describe(None, ScoreRule(layers))


def test_a_rule_for_heads_that_does_not_exist_is_refused() -> None:
    with pytest.raises(SettingError, match="score_heads must be one of mean, max, got 'median'"):
        ScoreRule(heads="median")


@pytest.mark.parametrize(
    ("offsets", "message"),
    [
        (torch.tensor([3, 2, 0]), "decrease strictly and end at 1 or more"),
        (torch.tensor([3, 3, 1]), "decrease strictly"),
        (torch.tensor([1, 2, 3]), "decrease strictly"),
        (torch.tensor([3.0, 2.0, 1.0]), "must be int64 .* got torch.float32"),
        (torch.tensor([[3, 2, 1], [3, 2, 1]]), r"of shape \[2, 3\]"),
        (torch.tensor(3), r"of shape \[\]"),
        (torch.arange(4, 0, -1), r"of shape \[3\], one per memory token"),
    ],
)
def test_offsets_that_no_memory_has_are_refused(offsets: Tensor, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        positions(4, 3, 5, offsets=offsets)


def positions(
    num_before: int, num_memory: int, num_after: int, offsets: Tensor | None, grid: GridRule | None = None
) -> Tensor:
    pieces = [PieceShape("text", num_before), PieceShape("memory", num_memory), PieceShape("frames", num_after)]
    placed = prompt_positions([*pieces, PieceShape("text", 2)], offsets, grid, torch.device("cpu"))
    assert placed is not None
    return placed


def test_positions_by_hand() -> None:
    assert positions(2, 3, 1, torch.tensor([7, 3, 1])).tolist() == [[0, 1, 2, 6, 8, 9, 10, 11]]
    assert positions(2, 3, 1, torch.tensor([3, 2, 1])).tolist() == [list(range(8))]
    assert positions(2, 0, 0, torch.empty(0, dtype=torch.int64)).tolist() == [[0, 1, 2, 3]]
    assert prompt_positions([PieceShape("text", 5)], None, None, torch.device("cpu")) is None


def test_positions_on_a_grid_by_hand() -> None:
    """Two steps of 2 x 2 tokens, 3 positions apart in time, after 2 words and 3 memory tokens."""
    placed = positions(2, 3, 8, None, GridRule(2, 2, step_interval=3))
    assert placed.tolist() == [
        [0, 1, 2, 3, 4, 5, 5, 5, 5, 8, 8, 8, 8, 9, 10],
        [0, 1, 2, 3, 4, 5, 5, 6, 6, 5, 5, 6, 6, 9, 10],
        [0, 1, 2, 3, 4, 5, 6, 5, 6, 5, 6, 5, 6, 9, 10],
    ]


def test_memory_at_its_original_places_on_a_grid_by_hand() -> None:
    """Memory of two steps before (offset 7: the second cell) and one before (offsets 4 and 1: first and last cell)."""
    placed = positions(2, 3, 4, torch.tensor([7, 4, 1]), GridRule(2, 2, step_interval=3))
    assert placed.tolist() == [
        [0, 1, 2, 5, 5, 8, 8, 8, 8, 9, 10],
        [0, 1, 2, 2, 3, 2, 2, 3, 3, 9, 10],
        [0, 1, 3, 2, 3, 2, 3, 2, 3, 9, 10],
    ]
