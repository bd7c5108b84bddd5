"""Answers as clients see them."""

from datetime import datetime

from pydantic import BaseModel

from keepsight.answering import Answer, Citation
from keepsight.journal import AnswerRecord
from keepsight.server.views.clips import GapView, gap_view


class CitationView(BaseModel):
    """A caption that the model was given."""

    clip_index: int
    start_seconds: float
    end_seconds: float
    caption: str


class AnswerView(BaseModel):
    """An answer, and what it rests on."""

    stream_id: str
    question: str
    answer: str
    ask_seconds: float
    num_captions_given: int
    num_captions_left_out: int
    num_live_frames: int
    citations: list[CitationView]
    gaps: list[GapView]


class PastAnswerView(BaseModel):
    """A question that was answered before."""

    asked_at: datetime
    ask_seconds: float
    question: str
    answer: str
    cited_clips: list[int]
    num_captions_given: int
    num_captions_left_out: int


def citation_view(citation: Citation) -> CitationView:
    """A citation."""
    span = citation.span
    return CitationView(
        clip_index=citation.clip_index,
        start_seconds=span.start_seconds,
        end_seconds=span.end_seconds,
        caption=citation.caption,
    )


def answer_view(stream_id: str, answer: Answer) -> AnswerView:
    """An answer with its citations."""
    return AnswerView(
        stream_id=stream_id,
        question=answer.question,
        answer=answer.text,
        ask_seconds=answer.ask_seconds,
        num_captions_given=answer.num_captions_given,
        num_captions_left_out=answer.num_captions_left_out,
        num_live_frames=answer.num_live_frames,
        citations=[citation_view(citation) for citation in answer.citations],
        gaps=[gap_view(gap) for gap in answer.gaps],
    )


def past_answer_view(record: AnswerRecord) -> PastAnswerView:
    """An answer as the journal has it."""
    return PastAnswerView(
        asked_at=record.asked_at,
        ask_seconds=record.ask_seconds,
        question=record.question,
        answer=record.answer,
        cited_clips=list(record.cited_clips),
        num_captions_given=record.num_captions_given,
        num_captions_left_out=record.num_captions_left_out,
    )
