"""Answers with citations: from captions in the journal, and from the frames that have no caption yet.

Citations come from the journal, never from what the model wrote: they are the captions that the model was given.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from keepsight.asking.evidence import Evidence, gather_evidence
from keepsight.errors import SettingError
from keepsight.journal import AnswerRecord, GapRecord, Journal, StreamRecord
from keepsight.models.protocol import VideoModel
from keepsight.settings import Settings
from keepsight.spans import Span
from keepsight.video import Frame


@dataclass(frozen=True)
class Citation:
    """A caption that the model was given, and when it happened."""

    clip_index: int
    span: Span
    caption: str


@dataclass(frozen=True)
class Answer:
    """What the model answered and what it was given.

    Attributes:
        text: the answer, stripped.
        citations: the captions that the model was given, in time order.
        num_captions_given: as many as citations.
        num_captions_left_out: captions by `ask_seconds` that did not fit or were not chosen.
        ask_seconds: only what had ended by then was used.
        question: as the user wrote it.
        num_live_frames: frames without a caption that the model was shown.
        gaps: what was not seen by `ask_seconds`, and why, in time order.
    """

    text: str
    citations: tuple[Citation, ...]
    num_captions_given: int
    num_captions_left_out: int
    ask_seconds: float
    question: str
    num_live_frames: int = 0
    gaps: tuple[GapRecord, ...] = ()


class AnswerStream:
    """An answer as it is being generated: iterate over its pieces of text, then read `answer`.

        stream = ask(model, journal, record, "Where did the dog go?")
        for piece in stream:
            print(piece, end="", flush=True)
        print(stream.answer.citations)

    What the model is given is settled before the first piece, so `citations` can be shown at once. The question and
    its answer are stored in the journal when the last piece has come (not in a read-only journal).
    """

    def __init__(
        self, model: VideoModel, journal: Journal, stream: StreamRecord, question: str, evidence: Evidence
    ) -> None:
        self._model = model
        self._journal = journal
        self._stream = stream
        self._question = question
        self._evidence = evidence
        self._text = ""
        self._answer: Answer | None = None
        self._pieces = model.answer(evidence.context, question, evidence.live, max_new_tokens=evidence.max_new_tokens)

    @property
    def citations(self) -> tuple[Citation, ...]:
        """The captions that the model was given, in time order."""
        return tuple(Citation(record.clip_index, record.span, record.caption) for record in self._evidence.captions)

    @property
    def max_new_tokens(self) -> int:
        """Longest answer that the model may write."""
        return self._evidence.max_new_tokens

    def num_prompt_tokens(self) -> int:
        """Exact length of the prompt, live frames included; counted anew with each call."""
        evidence, live = self._evidence, self._evidence.live
        num_visual_tokens = 0 if live is None else len(live.tokens)
        return self._model.count_prompt_tokens(evidence.context, self._question, num_visual_tokens, like=live)

    @property
    def answer(self) -> Answer:
        """The whole answer; what is still missing of it is generated first.

        Raises:
            JournalWriteError: the answer could not be stored.
        """
        for piece in self._pieces:
            self._text += piece
        return self._complete()

    def __iter__(self) -> Iterator[str]:
        for piece in self._pieces:
            self._text += piece
            yield piece
        self._complete()

    def _complete(self) -> Answer:
        if self._answer is None:
            answer = self._finished()
            if not self._journal.is_read_only:
                self._journal.answers.add(_record_of(answer, self._stream))
            self._answer = answer
        return self._answer

    def _finished(self) -> Answer:
        citations = self.citations
        return Answer(
            text=self._text.strip(),
            citations=citations,
            num_captions_given=len(citations),
            num_captions_left_out=self._evidence.num_left_out,
            ask_seconds=self._evidence.ask_seconds,
            question=self._question,
            num_live_frames=self._evidence.num_live_frames,
            gaps=self._evidence.gaps,
        )


def ask(
    model: VideoModel,
    journal: Journal,
    stream: StreamRecord,
    question: str,
    *,
    ask_seconds: float | None = None,
    settings: Settings | None = None,
    live_frames: Sequence[Frame] = (),
) -> AnswerStream:
    """Begin to answer a question about a stream.

    Args:
        model: need not be the one that wrote the captions; another one embeds and counts them afresh.
        journal: holds the stream's captions.
        stream: what is asked about.
        question: any text.
        ask_seconds: only clips that had ended by this time of the stream are used; None means all.
        settings: how captions are chosen and how long the answer may be; the defaults if None.
        live_frames: frames without a caption, in time order. Of those up to `ask_seconds` the newest that fit in half
            of the model's window are shown to it.

    Raises:
        EmptyJournalError: there is no caption and no live frame by `ask_seconds`.
        PromptTooLongError: the question leaves no room for a caption.
        SettingError: the question is empty or `ask_seconds` is negative.
    """
    if not question.strip():
        raise SettingError(f"a question is a text, not {question!r}")
    if ask_seconds is not None and not ask_seconds >= 0:
        raise SettingError(f"ask_seconds must be 0 or more, not {ask_seconds}")
    evidence = gather_evidence(
        model,
        journal,
        stream,
        question,
        ask_seconds=ask_seconds,
        settings=settings or Settings(),
        live_frames=live_frames,
    )
    return AnswerStream(model, journal, stream, question, evidence)


def answer_question(
    model: VideoModel,
    journal: Journal,
    stream: StreamRecord,
    question: str,
    *,
    ask_seconds: float | None = None,
    settings: Settings | None = None,
    live_frames: Sequence[Frame] = (),
) -> Answer:
    """Answer a question about a stream and store it in the journal: `ask`, waited for.

    Raises:
        EmptyJournalError, PromptTooLongError, SettingError: as for `ask`.
        JournalWriteError: the answer could not be stored.
    """
    return ask(
        model, journal, stream, question, ask_seconds=ask_seconds, settings=settings, live_frames=live_frames
    ).answer


def _record_of(answer: Answer, stream: StreamRecord) -> AnswerRecord:
    return AnswerRecord(
        stream_id=stream.id,
        asked_at=datetime.now(UTC),
        ask_seconds=answer.ask_seconds,
        question=answer.question,
        answer=answer.text,
        cited_clips=tuple(citation.clip_index for citation in answer.citations),
        num_captions_given=answer.num_captions_given,
        num_captions_left_out=answer.num_captions_left_out,
    )
