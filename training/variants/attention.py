"""Attention of true captions on the tokens of their clips: the product's score, in one pass instead of one a token.

The product decodes a caption and takes a row of attention from each token that it feeds back
(`keepsight.models.decoding.attention_rows`). With the caption known, all these rows come from a single pass.
"""

import random
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from keepsight.errors import SettingError
from keepsight.method.selection.base import DEFAULT_RETENTION, count_kept
from keepsight.models.decoding.attention_rows import RowRule, StepRows
from keepsight.models.decoding.scoring_attention import register_attention
from keepsight.models.layers import scale_layers
from keepsight.settings import DESCRIBE_PROMPT
from keepsight.toyworld.captions import true_caption
from training.encoded_stories import EncodedStory, Memory, StoryPool, remembered
from training.packing import Packed, packed_embeddings
from training.reading import Reader
from training.watching import clip_with_memory

MEMORY_CLIPS = 16


def prepare(model: Any) -> None:
    """Let a model's decoder report rows of attention."""
    model.set_attn_implementation({"text_config": register_attention(), "vision_config": "sdpa"})


@torch.no_grad()
def caption_scores(model: Any, packed: Packed, num_memory: int, num_clip: int, pad_id: int) -> Tensor:
    """Attention of a clip's caption on the clip's tokens, float32 `[num_clip]`.

    Args:
        model: as `prepare` left it.
        packed: memory, clip, and the caption as the only branch.
        num_memory: memory tokens, the first of the visual embeddings.
        num_clip: tokens of the clip, the next ones.
        pad_id: id of padding.

    Raises:
        SettingError: the model does not report rows.
    """
    batch, embeds = packed_embeddings(model, [packed], pad_id)
    layers = scale_layers(model.config.text_config.num_hidden_layers)
    rows = StepRows(RowRule(frozenset(layers), "mean", packed.visual_start + num_memory, num_clip))
    model.model.language_model(
        inputs_embeds=embeds,
        attention_mask=batch.attention_mask,
        position_ids=batch.position_ids,
        use_cache=False,
        score_rows=rows,
    )
    if rows.weights is None:
        raise SettingError("the model must report rows of attention, got none; call prepare(model) first")
    fed_back = batch.predict_from[1:, 1]  # the prompt's last token predicts the first; the last one is not fed back
    return rows.weights[0, fed_back].mean(0) / len(layers)


def story_scores(reader: Reader, model: Any, encoded: EncodedStory) -> Tensor:
    """Scores of all tokens of a story, `[clips, steps, tokens_per_step]`, each clip after what attention kept before.

    Captions are the true ones of a watcher that remembers 16 clips.
    """
    scores = torch.zeros(encoded.weights.shape)
    for clip, span in enumerate(encoded.spans):
        first = max(clip - MEMORY_CLIPS, 0)
        memory = attended_memory(replace(encoded, scores=scores), first, clip, DEFAULT_RETENTION)
        truth = true_caption(encoded.story, span, encoded.spans[first].start_seconds)
        caption = reader.branch(f"\n{DESCRIBE_PROMPT}", truth.text)
        packed = clip_with_memory(reader, model, encoded, clip, memory, [caption])
        found = caption_scores(
            model, packed, len(memory.places), encoded.tokens_per_clip, reader.tokenizer.pad_token_id
        )
        scores[clip] = found.unflatten(0, scores.shape[1:])
    return scores


def attended_memory(
    encoded: EncodedStory,
    first: int,
    last: int,
    retention: float,
    rng: random.Random | None = None,  # noqa: ARG001 - nothing is drawn
) -> Memory:
    """The tokens of each clip with the highest scores, as `AttentionTopK` keeps them.

    Raises:
        SettingError: the story has no scores.
    """
    if encoded.scores is None:
        raise SettingError("a story must have scores for memory by attention, got none; compute them by story_scores")
    return remembered(encoded, {clip: highest(encoded.scores[clip], retention) for clip in range(first, last)})


def highest(scores: Tensor, retention: float) -> Tensor:
    """Increasing indices of a share of a clip's tokens with the highest scores; of equal ones the earlier."""
    ranked = scores.flatten().sort(descending=True, stable=True).indices
    return ranked[: count_kept(len(ranked), retention)].sort().values


class ScoredPool(StoryPool):
    """Pool of stories with scores by the model's attention at the time when they were added."""

    def __init__(self, reader: Reader, model: Any, size: int) -> None:
        super().__init__(model, size)
        self.reader = reader

    def renew(self, rng: random.Random) -> None:
        """Add a story with scores."""
        super().renew(rng)
        encoded = self.kept.pop()
        self.kept.append(replace(encoded, scores=story_scores(self.reader, self.model, encoded)))
