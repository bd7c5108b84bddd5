"""Answers with citations, from captions in the journal and frames without a caption yet.

Citations are the captions that the model was given, from the journal, never from the model's text.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from keepsight.asking.evidence import Evidence, LiveUse, gather_evidence
from keepsight.errors import JournalWriteError, KeepsightError, SettingError
from keepsight.incoming import checked_text
from keepsight.journal import AnswerRecord, ClipRecord, GapRecord, Journal, StreamRecord
from keepsight.method.model_info import AnswerAuthor
from keepsight.method.prompts import one_line_question
from keepsight.method.protocol import AnsweringModel, AnswerRequest, VideoModel
from keepsight.settings import Settings
from keepsight.spans import Span, Spanned
from keepsight.video import Frame


@dataclass(frozen=True)
class Ask:
    """A user's question and its options.

    Attributes:
        question: any text.
        at_seconds: use only clips that ended by this time of the stream; None for all.
        live: also show the model the frames without a caption yet; None for the settings' choice (`live`, and
            `live_at_start` before the first caption).
        store: store question and answer in the journal.
        max_answer_tokens: token limit of the answer, if below those of settings and model.
        as_written: keep the question's lines; if there are several, they are the whole prompt and say how to answer.
            Otherwise it is put on one line, and a short answer is requested.

    Raises:
        SettingError: the question is not valid text (`incoming.checked_text`), or `at_seconds` is negative.
    """

    question: str
    at_seconds: float | None = None
    live: bool | None = None
    store: bool = True
    max_answer_tokens: int | None = None
    as_written: bool = False

    def __post_init__(self) -> None:
        checked_text(self.question, "the question")
        if self.at_seconds is not None and not self.at_seconds >= 0:
            raise SettingError(f"at_seconds must be 0 or more, got {self.at_seconds}")

    @property
    def wording(self) -> str:
        """Question as the model is asked it."""
        return self.question if self.as_written else one_line_question(self.question)


@dataclass(frozen=True)
class Citation(Spanned):
    """A caption that the model was given, and its span."""

    clip_index: int
    span: Span
    caption: str


@dataclass(frozen=True)
class Answer:
    """An answer and its evidence.

    Attributes:
        text: the answer, stripped.
        citations: captions given to the model, in time order.
        num_captions_given: number of citations.
        num_captions_left_out: captions up to `ask_seconds` that did not fit or were not chosen.
        ask_seconds: only clips that ended by then were used.
        question: as written by the user.
        num_live_frames: frames without a caption shown to the model.
        gaps: what was not watched until `ask_seconds`, and why, in time order.
        not_stored: one-line reason why question and answer were not stored; empty if they were, or storing was off.
        clips: cited clips closest to the answer, for their images; set only by `Watcher.ask`.
        answer_model: name of the model that wrote it.
        answer_url: base URL of the server that ran that model, without credentials; None for a model in this process.
    """

    text: str
    citations: tuple[Citation, ...]
    num_captions_given: int
    num_captions_left_out: int
    ask_seconds: float
    question: str
    num_live_frames: int = 0
    gaps: tuple[GapRecord, ...] = ()
    not_stored: str = ""
    clips: tuple[ClipRecord, ...] = field(default=(), repr=False, compare=False)
    answer_model: str = ""
    answer_url: str | None = None

    def _repr_html_(self) -> str:
        """HTML form for notebooks."""
        from keepsight.asking.notebook import answer_html

        return answer_html(self)


class AnswerStream:
    """An answer being generated: iterate over its pieces of text, then read `answer`.

        stream = ask(model, journal, record, Ask("Where did the dog go?"))
        for piece in stream:
            print(piece, end="", flush=True)
        print(stream.answer.citations)

    The evidence is fixed before the first piece, so `citations` can be shown at once. Question and answer are stored
    after the last piece. If storing fails, as in a read-only journal, the answer is still returned, with the reason in
    `Answer.not_stored`.

    Attributes:
        stream: stream of the question.
        finish_reason: why an engine's answer ended, `stop` or `length`; None before, and for a model in this process,
            whose answer was cut off if it has as many tokens as allowed.
    """

    def __init__(
        self,
        model: AnsweringModel,
        journal: Journal,
        stream: StreamRecord,
        asked: Ask,
        evidence: Evidence,
    ) -> None:
        self._store = asked.store
        self._model = model
        self._journal = journal
        self.stream = stream
        self._question = asked.question
        self._wording = asked.wording
        self._evidence = evidence
        self._text = ""
        self._answer: Answer | None = None
        self.finish_reason: str | None = None
        self._failure: KeepsightError | None = None
        self._pieces = model.answer(
            AnswerRequest(evidence.context, asked.wording, evidence.live, max_new_tokens=evidence.max_new_tokens)
        )

    @property
    def citations(self) -> tuple[Citation, ...]:
        """Captions given to the model, in time order."""
        return tuple(Citation(record.clip_index, record.span, record.caption) for record in self._evidence.captions)

    @property
    def author(self) -> AnswerAuthor:
        """Model that writes the answer, and its server."""
        return self._model.info.author

    @property
    def max_new_tokens(self) -> int:
        """Token limit of the answer."""
        return self._evidence.max_new_tokens

    def num_prompt_tokens(self) -> int:
        """Exact length of the prompt, live frames included; recomputed on each call."""
        evidence, live = self._evidence, self._evidence.live
        num_visual_tokens = 0 if live is None else len(live.tokens)
        return self._model.count_prompt_tokens(evidence.context, self._wording, num_visual_tokens, like=live)

    @property
    def answer(self) -> Answer:
        """The complete answer; generates the rest first."""
        for _ in self:
            continue
        return self._complete()

    def __iter__(self) -> Iterator[str]:
        if self._failure is not None:  # what came before it is not an answer
            raise self._failure
        while (piece := self._next_piece()) is not None:
            self._text += piece
            yield piece
        self._complete()

    def _next_piece(self) -> str | None:
        """Next piece; None at the end, which an engine's pieces have a reason for."""
        try:
            return next(self._pieces)
        except StopIteration as end:
            self.finish_reason = end.value or self.finish_reason
            return None
        except KeepsightError as error:
            self._failure = error
            raise

    def _complete(self) -> Answer:
        if self._answer is None:
            answer = self._finished()
            if self._store:
                try:
                    self._journal.answers.add(_record_of(answer, self.stream))
                except JournalWriteError as error:
                    answer = replace(answer, not_stored=str(error))
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
            answer_model=self.author.model,
            answer_url=self.author.url,
        )


def ask(
    model: AnsweringModel,
    journal: Journal,
    stream: StreamRecord,
    asked: Ask,
    *,
    settings: Settings | None = None,
    live_frames: Sequence[Frame] = (),
) -> AnswerStream:
    """Start answering a question about a stream.

    Args:
        model: may differ from the model that wrote the captions; it then embeds and counts them again.
        journal: holds the captions.
        stream: stream to ask about.
        asked: question and options.
        settings: retrieval and answer settings; None for defaults.
        live_frames: frames without a caption, in time order; used if `asked.live` or the settings say so. The newest up
            to `asked.at_seconds` that fit in half of the context window are shown.

    Raises:
        EmptyJournalError: there is no caption or live frame up to `asked.at_seconds`.
        PromptTooLongError: the question leaves no room for a caption.
    """
    settings = settings or Settings()
    if asked.max_answer_tokens is not None:
        settings = replace(settings, max_answer_tokens=min(settings.max_answer_tokens, asked.max_answer_tokens))
    evidence = gather_evidence(
        model,
        journal,
        stream,
        asked.wording,
        ask_seconds=asked.at_seconds,
        settings=settings,
        live_frames=live_frames,
        use=LiveUse.of(asked.live, settings),
    )
    return AnswerStream(model, journal, stream, asked, evidence)


def answer_question(
    model: VideoModel,
    journal: Journal,
    stream: StreamRecord,
    question: str,
    *,
    ask_seconds: float | None = None,
    settings: Settings | None = None,
    live_frames: Sequence[Frame] = (),
    as_written: bool = False,
) -> Answer:
    """Answer a question about a stream and store it: `ask`, blocking.

    Raises:
        EmptyJournalError, PromptTooLongError, SettingError: as for `Ask` and `ask`.
    """
    asked = Ask(question, ask_seconds, live=bool(live_frames), as_written=as_written)
    return ask(model, journal, stream, asked, settings=settings, live_frames=live_frames).answer


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
        answer_model=answer.answer_model,
        answer_url=answer.answer_url,
    )
