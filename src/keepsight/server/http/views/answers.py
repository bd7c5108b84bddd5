"""Answers as JSON."""

from datetime import datetime

from pydantic import BaseModel, Field

from keepsight.asking.answering import Answer
from keepsight.server.http.views.clips import GapView, Shown


class CitationView(Shown):
    """A caption that the model was given."""

    clip_index: int
    start_seconds: float
    end_seconds: float
    caption: str


class AnswerView(BaseModel):
    """An answer with its evidence."""

    stream_id: str
    question: str
    answer: str
    ask_seconds: float
    num_captions_given: int
    num_captions_left_out: int
    num_live_frames: int
    citations: list[CitationView]
    gaps: list[GapView]
    answer_model: str = Field(description="Model that wrote the answer.", examples=["qwen3"])
    answer_url: str | None = Field(
        description="Server that ran it; null for the server's own model.", examples=["http://localhost:11434/v1"]
    )
    not_stored: str = Field(description="Why question and answer are not stored; empty if they are.")


class PastAnswerView(Shown):
    """A stored question and answer; who wrote it is null for answers of earlier versions."""

    asked_at: datetime
    ask_seconds: float
    question: str
    answer: str
    cited_clips: list[int]
    num_captions_given: int
    num_captions_left_out: int
    answer_model: str | None
    answer_url: str | None


def answer_view(stream_id: str, answer: Answer) -> AnswerView:
    """View of an answer with its citations."""
    return AnswerView(
        stream_id=stream_id,
        question=answer.question,
        answer=answer.text,
        ask_seconds=answer.ask_seconds,
        num_captions_given=answer.num_captions_given,
        num_captions_left_out=answer.num_captions_left_out,
        num_live_frames=answer.num_live_frames,
        citations=[CitationView.model_validate(citation) for citation in answer.citations],
        gaps=[GapView.model_validate(gap) for gap in answer.gaps],
        answer_model=answer.answer_model,
        answer_url=answer.answer_url,
        not_stored=answer.not_stored,
    )
