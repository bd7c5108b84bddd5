"""Answers from selected visual tokens instead of captions (paper, ablations of the answer's source)."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from keepsight.asking.evidence import longest_reply, retriever_of
from keepsight.asking.retrieval import choose
from keepsight.bench.methods.base import Asked, Reply, ask_model
from keepsight.bench.methods.captions import Captions
from keepsight.bench.methods.loop import LoopObserver, WatchedClip
from keepsight.method.protocol import VideoModel, VisualInput
from keepsight.method.recurrence import offsets_within
from keepsight.settings import Settings


@dataclass(frozen=True)
class SelectedTokens(Captions):
    """Watch with the full loop, answer from selected tokens; the model sees no captions.

    Clips are chosen by the same retriever, over the mean of their selected tokens, which share the space of input
    embeddings with the question. Their positions follow `memory_positions`, as if the next clip stood at the question.
    """

    def answer(self, model: VideoModel, seen: LoopObserver, asked: Asked) -> Reply:
        """Answer from selected tokens that fit the budget, in time order; before the first clip like `Captions`."""
        if not seen.clips:
            return super().answer(model, seen, asked)
        max_new_tokens = longest_reply(model, self.settings)
        fixed = model.count_prompt_tokens("", asked.wording, num_memory_tokens=1) - 1
        room = model.info.context_window_tokens - max_new_tokens - fixed
        chosen = choose_clips(model, seen.clips, asked, self.settings, room)
        remembered = remembered_of(seen.clips, chosen, self.settings, room)
        return ask_model(model, "", asked, remembered, max_new_tokens=max_new_tokens)


def choose_clips(
    model: VideoModel, clips: list[WatchedClip], asked: Asked, settings: Settings, room_tokens: int
) -> list[int]:
    """Indices of clips whose selected tokens fit the retrieval budget and the room, in time order."""
    if not clips:
        return []
    budget = max(0, min(settings.retrieval_budget_tokens, room_tokens))
    costs = [len(clip.tokens) for clip in clips]
    means, wanted = mean_tokens(clips, model.info.dim), model.embed(asked.question)
    return choose(retriever_of(settings), means, wanted, costs, budget)


def mean_tokens(clips: list[WatchedClip], dim: int) -> np.ndarray:
    """Mean selected token of each clip, limited to the input embedding part: float32 `[num_clips, dim]`."""
    return np.stack([clip.tokens[:, :dim].float().mean(dim=0).cpu().numpy() for clip in clips])


def remembered_of(
    clips: list[WatchedClip], chosen: list[int], settings: Settings, room_tokens: int
) -> VisualInput | None:
    """Selected tokens of the chosen clips at the settings' positions, or None without any.

    Args:
        clips: all clips so far.
        chosen: indices of clips, in time order.
        settings: where remembered tokens are placed.
        room_tokens: what prompt and reply leave of the context window, the limit of original positions.
    """
    if not chosen:
        return None
    tokens = torch.cat([clips[index].tokens for index in chosen])
    if settings.memory_positions == "contiguous":
        return VisualInput(memory=tokens, tokens=tokens[:0])
    positions = torch.cat([clips[index].positions for index in chosen])
    offsets = offsets_within(clips[-1].end_position - positions, room_tokens)
    return replace(clips[-1].shape, memory=tokens, tokens=tokens[:0], memory_offsets=offsets)
