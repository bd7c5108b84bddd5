"""The heads that are put in, on sequences of words and made-up visual tokens, by where they look."""

import pytest
import torch
from torch import Tensor
from transformers import LlavaOnevisionForConditionalGeneration

from keepsight.toyworld.captions import clip_spans, true_captions
from keepsight.toyworld.simulate import make_story
from keepsight.toyworld.story import DIFFICULTIES
from training.initialisation import new_model
from training.listing_heads import put_in_listing_heads
from training.packing import Packed, packed_embeddings
from training.reading import Reader
from training.tower_stage import CELL_STRENGTH, word_vectors
from training.word_vectors import cell_vectors

SEEN = {1: "duck", 5: "truck", 6: "pizza"}
"""What a frame shows, by cell."""
NUM_FRAMES = 2


def picture_tokens(model: LlavaOnevisionForConditionalGeneration) -> Tensor:
    """Two equal frames as the aligned tower gives them: a place, things, and each token's own cell."""
    place = word_vectors(model, ("kitchen",))[0].detach()
    cells = [word_vectors(model, (SEEN[c],))[0].detach() if c in SEEN else 0.3 * place for c in range(9)]
    frame = torch.stack(cells) + 0.5 * place + CELL_STRENGTH * cell_vectors(9, 256)
    return frame.repeat(NUM_FRAMES, 1)


def sample(model: LlavaOnevisionForConditionalGeneration, reply: str) -> Packed:
    reader = Reader()
    opening = reader.ids("<|im_start|>user <video>")[:-1]
    visual = picture_tokens(model)
    branch = reader.branch("\nDescribe what happens.", reply)
    return Packed(opening + reader.ids("<video>") * len(visual), (branch,), visual, len(opening))


def true_replies() -> list[str]:
    """Enough of them that the directions that are quiet in them are quiet in others."""
    story = make_story(7, 40, DIFFICULTIES["default"])
    spans = clip_spans(story.duration_seconds, story.difficulty.beat_seconds)
    return [caption.text for caption in true_captions(story, spans)]


@pytest.fixture(scope="module")
def model() -> LlavaOnevisionForConditionalGeneration:
    made = new_model()
    put_in_listing_heads(made, [sample(made, reply) for reply in true_replies()])
    made.set_attn_implementation("eager")
    return made


def attentions(model: LlavaOnevisionForConditionalGeneration, packed: Packed) -> tuple[Tensor, ...]:
    batch, embeds = packed_embeddings(model, [packed], 0)
    mask = torch.where(batch.attention_mask, 0.0, -1e9)
    with torch.no_grad():
        out = model.model.language_model(
            inputs_embeds=embeds, attention_mask=mask, position_ids=batch.position_ids, output_attentions=True
        )
    return tuple(out.attentions)


def looked_at(weights: Tensor, packed: Packed, cells: list[int]) -> float:
    """Attention on some cells, in all frames."""
    places = [packed.visual_start + 9 * frame + cell for frame in range(NUM_FRAMES) for cell in cells]
    return float(weights[places].sum())


@pytest.mark.parametrize(("said", "named"), [("duck", [1]), ("truck", [5]), ("pizza", [6])])
def test_one_head_gathers_what_was_named_and_another_looks_at_the_rest(
    model: LlavaOnevisionForConditionalGeneration, said: str, named: list[int]
) -> None:
    packed = sample(model, f"in the kitchen: a {said} stays, a")
    layers = attentions(model, packed)
    ids = packed.prefix_ids + packed.branches[0].prompt_ids + packed.branches[0].reply_ids
    article = len(ids) - 2  # before the end of the turn
    noun = article - 3
    assert str(Reader().tokenizer.decode(ids[noun])).strip() == said
    assert layers[0][0, 7, article, noun] > 0.95
    rest = [cell for cell in SEEN if cell not in named]
    for head in (0, 1):
        weights = layers[1][0, head, article]
        assert looked_at(weights, packed, rest) > 0.5
        assert looked_at(weights, packed, named) < 0.05


def test_a_third_head_looks_at_the_same_place_a_frame_before(model: LlavaOnevisionForConditionalGeneration) -> None:
    packed = sample(model, "nothing happens.")
    weights = attentions(model, packed)[0][0, 6]
    for cell in range(9):
        later = packed.visual_start + 9 + cell
        assert weights[later, later - 9] > 0.95


def test_the_other_groups_are_left_alone() -> None:
    before, after = new_model(), new_model()
    put_in_listing_heads(after, [sample(after, "a duck stays.")])
    changed = {
        name
        for (name, old), new in zip(before.named_parameters(), after.parameters(), strict=True)
        if not torch.equal(old, new)
    }
    assert {name.split("layers.")[1].split(".")[0] for name in changed} == {"0", "1"}
    assert all("self_attn" in name for name in changed)
    old, new = (one.model.language_model.layers[0].self_attn for one in (before, after))
    torch.testing.assert_close(old.q_proj.weight[:192], new.q_proj.weight[:192], rtol=0, atol=0)
