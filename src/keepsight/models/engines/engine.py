"""A model behind an OpenAI-compatible server, asked by `POST /chat/completions` with streaming."""

from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import ExitStack
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

from keepsight.errors import SettingError, WorkCancelledError
from keepsight.method.model_info import AnswerAuthor
from keepsight.models.cancellation import cancellations
from keepsight.models.engines.http_rules import is_sendable_key
from keepsight.schema.web_address import is_plain_web_address

_ROUTE = "/chat/completions"


@dataclass(frozen=True)
class EngineLimits:
    """How long an engine is waited for, and how much is read.

    Attributes:
        connect_seconds: timeout of connecting.
        wait_seconds: longest silence, before the first piece of the answer and between two pieces.
        total_seconds: longest time of an answer, retries included.
        retries: attempts after the first; only before the first piece of the answer.
        max_pause_seconds: longest pause before a retry; an engine that asks for more is given up.
        max_bytes: most bytes of a reply.

    Raises:
        SettingError: a value is out of range.
    """

    connect_seconds: float = 10.0
    wait_seconds: float = 120.0
    total_seconds: float = 600.0
    retries: int = 2
    max_pause_seconds: float = 30.0
    max_bytes: int = 8 << 20

    def __post_init__(self) -> None:
        for name in ("connect_seconds", "wait_seconds", "total_seconds", "max_bytes"):
            if not 0 < getattr(self, name) < float("inf"):
                raise SettingError(f"must be above 0 and finite, got {getattr(self, name)}", name)
        if self.retries < 0 or not self.max_pause_seconds >= 0:
            raise SettingError(
                f"retries and max_pause_seconds must be at least 0, got {self.retries} and {self.max_pause_seconds}"
            )


@dataclass(frozen=True)
class Engine:
    """A model that a server runs. Its `repr` never contains the key.

    Attributes:
        url: base URL, such as `http://localhost:11434/v1`; without user, password, query or fragment, which may be
            secrets. It is shown wherever an answer is.
        model: name of the model at the server.
        key: API key; empty for none.
        context_tokens: the model's context window; None if unknown.
        options: further fields of a request, which replace those of the same name; None removes a field.
        limits: timeouts and sizes.

    Raises:
        SettingError: the URL or the key has another form.
    """

    url: str
    model: str
    key: str = field(default="", repr=False)
    context_tokens: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    limits: EngineLimits = field(default_factory=EngineLimits)

    def __post_init__(self) -> None:
        if not is_plain_web_address(self.url):
            raise SettingError("must be an http or https address without user, password, query and fragment", "url")
        if self.key and not is_sendable_key(self.key):
            raise SettingError("must be one ASCII word", "key")
        object.__setattr__(self, "url", self.url.rstrip("/").removesuffix(_ROUTE))

    @property
    def author(self) -> AnswerAuthor:
        """Who writes its answers."""
        return AnswerAuthor(self.model, self.url)

    @property
    def completions_url(self) -> str:
        """URL that is asked."""
        return self.url + _ROUTE

    def ask(self, messages: Sequence[Mapping[str, Any]], max_new_tokens: int) -> Generator[str, None, str]:
        """Stream the reply to some chat messages.

        The request is made when the first piece is wanted, in a thread of its own. Closing the generator, or
        cancelling the work that reads it (`cancellation`), ends the request.

        Args:
            messages: in OpenAI's format; their content may have parts other than text.
            max_new_tokens: token limit of the reply.

        Returns:
            Why the reply ended: `stop`, or `length` at the token limit.

        Raises:
            EngineBusyError: the server is unreachable or busy, after all retries.
            EngineTimeoutError: it took too long.
            EngineError: it refuses, replies in another format, or its reply is not whole.
            WorkCancelledError: the work was cancelled.
        """
        from anyio.from_thread import start_blocking_portal

        from keepsight.models.engines.asking_engine import receive_reply

        body = self._body(messages, max_new_tokens)
        pieces: SimpleQueue[str | None] = SimpleQueue()
        with start_blocking_portal(name="keepsight-engine") as portal, ExitStack() as listening:
            reply: Future[str] = portal.start_task_soon(receive_reply, self, body, max_new_tokens, pieces.put)
            reply.add_done_callback(lambda _: pieces.put(None))
            for scope in cancellations():
                listening.enter_context(scope.calling(reply.cancel))
            while (piece := pieces.get()) is not None:
                yield piece
            try:
                return reply.result()
            except CancelledError:
                raise WorkCancelledError("the work was cancelled") from None

    def _body(self, messages: Sequence[Mapping[str, Any]], max_new_tokens: int) -> dict[str, Any]:
        """Content of a request. The least random answer is wanted, as from the model that watches."""
        body = {
            "model": self.model,
            "messages": list(messages),
            "max_tokens": max_new_tokens,
            "temperature": 0,
            "stream": True,
            **self.options,
        }
        return {name: value for name, value in body.items() if value is not None}
