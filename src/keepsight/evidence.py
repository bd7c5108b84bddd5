"""What a question is answered from: the captions that were chosen and fit, and the frames without a caption.

Causal: nothing that ended after the time of asking is looked at. The prompt is counted before the model is called.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from keepsight.errors import EmptyJournalError, PromptTooLongError
from keepsight.journal import CaptionRecord, Journal, StreamRecord
from keepsight.models.protocol import VideoModel
from keepsight.prompts import caption_line, captions_context
from keepsight.retrieval import Retriever, make_retriever
from keepsight.settings import Settings
from keepsight.spans import format_clock
from keepsight.video import Frame

_WINDOW_SHARE_OF_REPLY = 4
"""The reply gets at most one part in so many of the model's window, so that a small window keeps room for captions."""

_WINDOW_SHARE_OF_FRAMES = 2
"""The live frames get at most one part in so many: half of the window, as the clip has when it is described."""


@dataclass(frozen=True)
class Evidence:
    """What the model is given with a question.

    Attributes:
        captions: the chosen captions, in time order.
        context: the block of text that holds them, empty without captions.
        num_left_out: captions by `ask_seconds` that are not among them.
        visual_tokens: `[num_frames * tokens_per_frame, dim]` of the newest live frames, or None.
        max_new_tokens: longest reply that fits.
        ask_seconds: only what had ended by then was looked at.
    """

    captions: tuple[CaptionRecord, ...]
    context: str
    num_left_out: int
    visual_tokens: Tensor | None
    max_new_tokens: int
    ask_seconds: float


@dataclass(frozen=True)
class Candidates:
    """Captions to choose from.

    Attributes:
        lines: each as a prompt shows it, in time order.
        costs: tokens of each line.
        embeddings: mean input embedding of each caption, float32 `[num_captions, dim]`, of length 1 or any other.
    """

    lines: Sequence[str]
    costs: Sequence[int]
    embeddings: NDArray[np.float32]


def gather_evidence(
    model: VideoModel,
    journal: Journal,
    stream: StreamRecord,
    question: str,
    *,
    ask_seconds: float | None,
    settings: Settings,
    live_frames: Sequence[Frame],
) -> Evidence:
    """Choose the captions and frames that a question is answered from, so that the prompt fits the model's window.

    Raises:
        EmptyJournalError: no clip had ended by `ask_seconds` and no live frame was there.
        PromptTooLongError: the question leaves no room for a single caption or frame.
    """
    captions, candidates = _candidates(model, journal, stream, ask_seconds)
    frames = [frame for frame in live_frames if ask_seconds is None or frame.pts_seconds <= ask_seconds]
    if not captions and not frames:
        raise EmptyJournalError(_nothing_yet(journal, stream, ask_seconds))
    window = model.info.context_window_tokens
    max_new_tokens = longest_reply(model, settings)
    visual_tokens = live_tokens(model, question, frames, max_new_tokens)
    num_visual_tokens = 0 if visual_tokens is None else len(visual_tokens)
    chosen = choose_captions(model, question, candidates, settings, num_visual_tokens=num_visual_tokens)
    if not chosen and visual_tokens is None:
        raise PromptTooLongError(
            f"the question leaves no room for a caption in the model's window of {window} tokens "
            f"(retrieval_budget_tokens is {settings.retrieval_budget_tokens}): ask it shorter"
        )
    return Evidence(
        captions=tuple(captions[index] for index in chosen),
        context=captions_context(candidates.lines[index] for index in chosen),
        num_left_out=len(captions) - len(chosen),
        visual_tokens=visual_tokens,
        max_new_tokens=max_new_tokens,
        ask_seconds=_time_of_asking(ask_seconds, captions, frames),
    )


def _candidates(
    model: VideoModel, journal: Journal, stream: StreamRecord, ask_seconds: float | None
) -> tuple[list[CaptionRecord], Candidates]:
    """All captions that had ended by the time of asking, in the space and token counts of the model that is asked."""
    limit = float("inf") if ask_seconds is None else ask_seconds
    captions, embeddings = journal.clips.captions_with_embeddings(stream.id, ended_by_seconds=limit)
    lines = [caption_line(record.span, record.caption) for record in captions]
    if stream.model == model.info.name and (not captions or embeddings.shape[1] == model.info.dim):
        return captions, Candidates(lines, [record.num_line_tokens for record in captions], embeddings)
    # Another model wrote the journal: its embeddings lie in another space and its tokens are cut otherwise.
    costs = [model.count_tokens(f"{line}\n") for line in lines]
    own = [model.embed(record.caption).numpy() for record in captions]
    return captions, Candidates(lines, costs, np.stack(own) if own else embeddings)


def longest_reply(model: VideoModel, settings: Settings) -> int:
    """Most tokens of an answer: what the settings say, or a quarter of the model's window if that is less."""
    return max(1, min(settings.max_answer_tokens, model.info.context_window_tokens // _WINDOW_SHARE_OF_REPLY))


def live_tokens(model: VideoModel, question: str, frames: Sequence[Frame], max_new_tokens: int) -> Tensor | None:
    """Visual tokens of as many of the newest frames as fit in half of the model's window, or None."""
    window, per_frame = model.info.context_window_tokens, model.info.tokens_per_frame
    for count in range(min(len(frames), window // _WINDOW_SHARE_OF_FRAMES // per_frame), 0, -1):
        if model.count_prompt_tokens("", question, count * per_frame) + max_new_tokens <= window:
            return model.encode([frame.image for frame in frames[-count:]])
    return None


def choose_captions(
    model: VideoModel,
    question: str,
    candidates: Candidates,
    settings: Settings,
    *,
    query: str | None = None,
    num_visual_tokens: int = 0,
) -> list[int]:
    """Places of the captions to give, in time order, such that the exact prompt fits the window.

    Args:
        model: is asked.
        question: any text.
        candidates: captions that may be given.
        settings: rule of choice, budget, and longest answer.
        query: what captions are compared with; the question if None.
        num_visual_tokens: visual tokens that stand in the prompt, too.
    """
    if not candidates.lines:
        return []
    room = model.info.context_window_tokens - longest_reply(model, settings)
    retriever = retriever_of(settings)
    wanted = model.embed(question if query is None else query)
    budget = min(settings.retrieval_budget_tokens, room)
    while budget > 0:
        chosen = retriever.choose(candidates.embeddings, wanted, candidates.costs, budget)
        context = captions_context(candidates.lines[index] for index in chosen)
        excess = model.count_prompt_tokens(context, question, num_visual_tokens) - room
        if excess <= 0 or not chosen:
            return chosen
        # Tokens merge across lines, so only the whole prompt is exact: take back what it has too much, in rank order.
        budget = sum(candidates.costs[index] for index in chosen) - excess
    return []


def retriever_of(settings: Settings) -> Retriever:
    """The rule of choice that the settings name."""
    return make_retriever(
        settings.retriever,
        mmr_lambda=settings.mmr_lambda,
        mmr_pool_budgets=settings.mmr_pool_budgets,
        seed=settings.seed,
    )


def _nothing_yet(journal: Journal, stream: StreamRecord, ask_seconds: float | None) -> str:
    captions = journal.clips.captions(stream.id)
    if not captions or ask_seconds is None:
        return f"nothing has been captioned yet in {journal.path}"
    return (
        f"nothing had been captioned by {format_clock(ask_seconds)}: "
        f"the first clip ends at {format_clock(captions[0].span.end_seconds)}"
    )


def _time_of_asking(ask_seconds: float | None, captions: Sequence[CaptionRecord], frames: Sequence[Frame]) -> float:
    """The given time, or else the end of what is known."""
    if ask_seconds is not None:
        return ask_seconds
    last_caption = captions[-1].span.end_seconds if captions else 0.0
    return max(last_caption, frames[-1].pts_seconds if frames else 0.0)
