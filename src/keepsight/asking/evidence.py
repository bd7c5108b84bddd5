"""Evidence for a question: chosen captions that fit, and frames without a caption.

Causal: nothing that ended after the question's time is used. The prompt length is computed before calling the model.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

import torch

from keepsight.asking.candidates import Candidates, JournalCaptions
from keepsight.asking.retrieval import Retriever, choose, make_retriever
from keepsight.errors import EmptyJournalError, PromptTooLongError, SettingError
from keepsight.journal import CaptionRecord, GapRecord, Journal, StreamRecord, nothing_left_note
from keepsight.method.prompts import caption_line, captions_context
from keepsight.method.protocol import AnsweringModel, VideoModel, VisualInput
from keepsight.method.recurrence import check_parts
from keepsight.settings import Settings
from keepsight.spans import Span, format_clock
from keepsight.video import Frame

_WINDOW_SHARE_OF_REPLY = 4
"""Reply limit as a divisor of the context window, so that small windows keep room for captions."""

_WINDOW_SHARE_OF_FRAMES = 2
"""Divisor of the context window for live frames: half, as for the clip in captioning."""


class LiveUse(Enum):
    """When a question is shown the frames without a caption."""

    ALWAYS = "always"
    AT_START = "before the first caption"
    NEVER = "never"

    @classmethod
    def of(cls, wanted: bool | None, settings: Settings) -> "LiveUse":
        """What a question's own choice means; the settings' choice if None."""
        if settings.live if wanted is None else wanted:
            return cls.ALWAYS
        return cls.AT_START if wanted is None and settings.live_at_start else cls.NEVER


@dataclass(frozen=True)
class Evidence:
    """Evidence given to the model with a question.

    Attributes:
        captions: chosen captions, in time order, and still times after them.
        context: their prompt block; empty without captions.
        num_left_out: other captions up to `ask_seconds`.
        live: tokens of the newest live frames, or None.
        num_live_frames: number of those frames.
        max_new_tokens: token limit of the reply.
        ask_seconds: only clips that ended by then were used.
        gaps: what was not watched until then.
    """

    captions: tuple[CaptionRecord, ...]
    context: str
    num_left_out: int
    live: VisualInput | None
    num_live_frames: int
    max_new_tokens: int
    ask_seconds: float
    gaps: tuple[GapRecord, ...] = ()


def gather_evidence(
    model: AnsweringModel,
    journal: Journal,
    stream: StreamRecord,
    question: str,
    *,
    ask_seconds: float | None,
    settings: Settings,
    live_frames: Sequence[Frame],
    use: LiveUse = LiveUse.ALWAYS,
) -> Evidence:
    """Choose captions and frames for a question so that the prompt fits the model's context window.

    Raises:
        EmptyJournalError: no clip ended by `ask_seconds` and there is no live frame to show.
        PromptTooLongError: the question leaves no room for a single caption or frame.
        SettingError: there are live frames, but the model answers from text only.
    """
    journal_captions = JournalCaptions(journal, stream, ask_seconds)
    candidates = journal_captions.candidates(model)
    sees_frames = isinstance(model, VideoModel)
    if (
        use is LiveUse.NEVER
        or model.info.author.url is not None  # a server is given captions alone
        or (use is LiveUse.AT_START and (len(journal_captions) or not sees_frames))
    ):
        live_frames = ()
    frames = [frame for frame in live_frames if ask_seconds is None or frame.pts_seconds <= ask_seconds]
    if not len(journal_captions) and not frames:
        raise EmptyJournalError(_nothing_yet(journal, stream, ask_seconds))
    window = model.info.context_window_tokens
    max_new_tokens = longest_reply(model, settings)
    live = None
    if frames:
        if not isinstance(model, VideoModel):
            raise SettingError(f"{model.info.name} was loaded to answer from text; load the whole model for frames")
        live = live_input(model, question, frames, max_new_tokens)
    chosen = choose_captions(model, question, candidates, settings, live=live)
    if not chosen and live is None:
        raise PromptTooLongError(
            f"the question leaves no room for a caption in the model's context window of {window} tokens "
            f"(retrieval_budget_tokens is {settings.retrieval_budget_tokens}); shorten the question"
        )
    captions = journal_captions.given(chosen)
    by_seconds = _time_of_asking(ask_seconds, journal_captions.end_seconds, frames)
    return Evidence(
        captions=tuple(captions),
        context=captions_context(caption_line(record.span, record.caption) for record in captions),
        num_left_out=len(journal_captions) - len(chosen),
        live=live,
        num_live_frames=0 if live is None or live.frame_seconds is None else len(live.frame_seconds),
        max_new_tokens=max_new_tokens,
        ask_seconds=by_seconds,
        gaps=_gaps_by(journal, stream, by_seconds if ask_seconds is None else ask_seconds),
    )


def longest_reply(model: AnsweringModel, settings: Settings) -> int:
    """Token limit of an answer: the settings' value, or a quarter of the context window if lower."""
    return max(1, min(settings.max_answer_tokens, model.info.context_window_tokens // _WINDOW_SHARE_OF_REPLY))


def live_input(model: VideoModel, question: str, frames: Sequence[Frame], max_new_tokens: int) -> VisualInput | None:
    """Newest frames that fit in half of the context window, or None."""
    window = model.info.context_window_tokens
    for count in range(len(frames), 0, -1):
        newest = frames[-count:]
        grid = model.token_grid(*newest[0].image.shape[:2])
        num_tokens = model.info.num_visual_tokens(count, grid)
        if num_tokens > window // _WINDOW_SHARE_OF_FRAMES:
            continue
        nothing = torch.empty(0, model.info.token_width)
        seconds = tuple(frame.pts_seconds - newest[0].pts_seconds for frame in newest)
        shown = VisualInput(nothing, nothing, token_grid=grid, frame_seconds=seconds)
        if model.count_prompt_tokens("", question, num_tokens, like=shown) + max_new_tokens <= window:
            tokens = model.encode([frame.image for frame in newest])
            return replace(shown, memory=tokens[:0], tokens=tokens)
    return None


def choose_captions(
    model: AnsweringModel,
    question: str,
    candidates: Candidates,
    settings: Settings,
    *,
    query: str | None = None,
    live: VisualInput | None = None,
) -> list[int]:
    """Indices of captions to give, in time order, such that the exact prompt fits the context window.

    Args:
        model: answering model.
        question: any text.
        candidates: captions to choose from.
        settings: retriever, budget, and answer limit.
        query: text to compare captions with; the question if None.
        live: live frames in the prompt.
    """
    if not len(candidates.costs):
        return []
    room = model.info.context_window_tokens - longest_reply(model, settings)
    num_visual_tokens = 0 if live is None else len(live.tokens)
    retriever = retriever_of(settings)
    wanted = model.embed(question if query is None else query)
    budget = min(settings.retrieval_budget_tokens, room)
    while budget > 0:
        chosen = choose(retriever, candidates.embeddings, wanted, candidates.costs, budget)
        context = captions_context(candidates.read_lines(chosen))
        excess = model.count_prompt_tokens(context, question, num_visual_tokens, like=live) - room
        if excess <= 0 or not chosen:
            return chosen
        # Tokens merge across lines, so only the whole prompt is exact: drop the excess in rank order.
        budget = sum(int(candidates.costs[index]) for index in chosen) - excess
    return []


def retriever_of(settings: Settings) -> Retriever:
    """Retriever of the settings."""
    return make_retriever(
        settings.retriever,
        mmr_lambda=settings.mmr_lambda,
        mmr_pool_budgets=settings.mmr_pool_budgets,
        seed=settings.seed,
    )


def check_all_parts(settings: Settings) -> None:
    """Refuse settings whose selector, memory policy or retriever cannot be made here, before any work.

    Raises:
        SettingError: a plug-in is missing or broken, or refuses a value.
    """
    check_parts(settings)
    retriever_of(settings)


def _gaps_by(journal: Journal, stream: StreamRecord, by_seconds: float) -> tuple[GapRecord, ...]:
    """Gaps up to a time; a gap in progress is cut there."""
    return tuple(
        replace(gap, span=Span(gap.span.start_seconds, min(gap.span.end_seconds, by_seconds)))
        for gap in journal.gaps.overlapping(stream.id, 0.0, by_seconds)
    )


def _nothing_yet(journal: Journal, stream: StreamRecord, ask_seconds: float | None) -> str:
    captions = journal.clips.captions(stream.id)
    if not captions or ask_seconds is None:
        return nothing_left_note(journal, stream)
    if captions[0].clip_index:
        return (
            f"no clip that ended by {format_clock(ask_seconds)} is left: the quota removed the clips before "
            f"{format_clock(captions[0].span.start_seconds)}"
        )
    return (
        f"nothing was captioned by {format_clock(ask_seconds)}: "
        f"the first clip ends at {format_clock(captions[0].span.end_seconds)}"
    )


def _time_of_asking(ask_seconds: float | None, end_seconds: float, frames: Sequence[Frame]) -> float:
    """The given time, else the end of the captions or of the frames after them."""
    if ask_seconds is not None:
        return ask_seconds
    return max(end_seconds, frames[-1].pts_seconds if frames else 0.0)
