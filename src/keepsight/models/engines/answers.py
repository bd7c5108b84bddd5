"""Answers of an engine, from captions that the watching model finds."""

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass

from keepsight.errors import SettingError
from keepsight.method.model_info import AnswerAuthor, JudgingStyle, ModelIdentity
from keepsight.method.prompts import question_text
from keepsight.method.protocol import AnsweringInfo, AnsweringModel, AnswerRequest, VisualInput
from keepsight.models.cancellation import Cancellation, cancellable
from keepsight.models.delegating import DelegatingCounts
from keepsight.models.engines.engine import Engine

INSTRUCTION = (
    "You answer questions about a video. You cannot see it: a model that watched it wrote captions, each with its time "
    "in the video. Answer from the captions alone. If they do not tell, say so."
)
"""System message of every question."""

UNKNOWN_WINDOW_TOKENS = 1 << 20
"""Stands for an unknown context window, so that the retrieval budget alone limits the captions."""


@dataclass(frozen=True)
class EngineInfo:
    """Properties of an engine's answers (`protocol.AnsweringInfo`).

    Attributes:
        author: model and server that write the answers.
        finder: properties of the model that embeds and counts.
        context_window_tokens: limit of prompt plus reply.
        judging_style: prompt form for judging standing questions.
    """

    author: AnswerAuthor
    finder: AnsweringInfo
    context_window_tokens: int
    judging_style: JudgingStyle = "plain"

    @property
    def name(self) -> str:
        """Name of the model at the server."""
        return self.author.model

    @property
    def identity(self) -> ModelIdentity:
        """The model that embeds and counts."""
        return self.finder.identity

    @property
    def dim(self) -> int:
        """Width of that model's embeddings."""
        return self.finder.dim

    @property
    def device(self) -> str:
        """Device of that model."""
        return self.finder.device

    @property
    def num_parameters(self) -> int:
        """Weights of that model."""
        return self.finder.num_parameters


class EngineAnswers(DelegatingCounts[AnsweringModel]):
    """An engine as an `AnsweringModel`: it writes the answers; another model embeds and counts.

    Captions only, so far: an image of a moment would be a further part of the message in `_messages`.

    Args:
        finder: model that embeds and counts, best the one that watched; it generates nothing.
        engine: writes the answers.
    """

    def __init__(self, finder: AnsweringModel, engine: Engine) -> None:
        super().__init__(finder)
        self._engine = engine
        self._closing = Cancellation()
        window = UNKNOWN_WINDOW_TOKENS if engine.context_tokens is None else engine.context_tokens
        self.info = EngineInfo(engine.author, finder.info, window)

    def answer(self, request: AnswerRequest) -> Iterator[str]:
        """Answer a question from captions, streaming pieces of text. The server is asked for the first piece.

        Raises:
            SettingError: the request has visual tokens.
            EngineError, WorkCancelledError: as for `Engine.ask`, while the pieces are read.
        """
        if request.visual is not None:
            raise SettingError(f"{self.info.name} at {self._engine.url} answers from captions, got frames, too")
        return self._pieces(request)

    def _pieces(self, request: AnswerRequest) -> Generator[str, None, str]:
        with closing(self._engine.ask(_messages(request), request.max_new_tokens)) as reply:
            with cancellable(self._closing):  # the request begins here, and listens to it until its end
                first = next(reply, "")
            yield first
            return (yield from reply)

    def cancel(self) -> None:
        """Cancel all answers in progress; their callers get `WorkCancelledError`. Thread-safe."""
        self._closing.cancel()

    def count_prompt_tokens(
        self,
        context: str,
        question: str,
        num_visual_tokens: int = 0,
        *,
        num_memory_tokens: int = 0,
        like: VisualInput | None = None,
    ) -> int:
        """Length of the prompt with its instruction, by the finder's tokenizer and chat template."""
        num_tokens = super().count_prompt_tokens(
            context, question, num_visual_tokens, num_memory_tokens=num_memory_tokens, like=like
        )
        return num_tokens + self.count_tokens(INSTRUCTION)


def _messages(request: AnswerRequest) -> list[dict[str, str]]:
    """Chat messages of a question, in the words that the watching model would be asked it."""
    return [
        {"role": "system", "content": INSTRUCTION},
        {"role": "user", "content": question_text(request.context, request.question)},
    ]
