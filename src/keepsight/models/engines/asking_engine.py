"""One question to an engine: connecting, asking again while it is busy, reading the streamed reply, in time."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import anyio
import httpx2

from keepsight.errors import EngineBusyError, EngineError, EngineTimeoutError
from keepsight.models.engines.chat_events import DONE, SpokenText, read_chunk, reason_in
from keepsight.models.engines.http_rules import hide, seconds_to_wait, shorten

if TYPE_CHECKING:
    from keepsight.models.engines.engine import Engine

_BUSY = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
_REFUSAL_BYTES = 64 << 10
_CHARACTERS_PER_TOKEN = 32
"""More than a token's text has, to end the reply of a server that ignores the token limit."""

_ADVICE: Mapping[int, str] = {
    HTTPStatus.UNAUTHORIZED: "; check its key: KEEPSIGHT_ANSWER_KEY or answer_key_file",
    HTTPStatus.FORBIDDEN: "; check its key: KEEPSIGHT_ANSWER_KEY or answer_key_file",
    HTTPStatus.NOT_FOUND: "; check answer_url, which mostly ends in /v1, and answer_model",
}


async def receive_reply(
    engine: "Engine", body: Mapping[str, Any], max_new_tokens: int, emit: Callable[[str], object]
) -> str:
    """Ask an engine and emit the pieces of its reply; once that is whole, return why it ended: `stop` or `length`.

    Args:
        engine: whom to ask.
        body: content of the request.
        max_new_tokens: token limit of the reply.
        emit: takes the pieces.

    Raises:
        EngineError: as for `Engine.ask`.
    """
    reply = _Reply(engine, max_new_tokens, emit)
    try:
        with anyio.fail_after(engine.limits.total_seconds):
            return await _ask_until_answered(engine, body, reply)
    except TimeoutError:
        seconds = engine.limits.total_seconds
        raise EngineTimeoutError(f"{reply.name} took more than {seconds:g} s (answer_seconds)") from None


async def _ask_until_answered(engine: "Engine", body: Mapping[str, Any], reply: "_Reply") -> str:
    timeout = httpx2.Timeout(None, connect=engine.limits.connect_seconds)
    async with httpx2.AsyncClient(timeout=timeout) as client:  # without redirects: the key goes to this server only
        for attempt in range(engine.limits.retries):
            try:
                return await reply.receive(client, body)
            except EngineBusyError as error:
                pause = _pause(engine, attempt, error)
            await anyio.sleep(pause)
        return await reply.receive(client, body)


def _pause(engine: "Engine", attempt: int, error: EngineBusyError) -> float:
    """Seconds before the next attempt: as the engine says, else 0.5, 1, 2 and so on."""
    longest = engine.limits.max_pause_seconds
    pause = min(0.5 * 2**attempt, longest) if error.wait_seconds is None else error.wait_seconds
    if pause > longest:
        raise EngineBusyError(f"{error}; it asks to wait {pause:.0f} s", pause) from None
    return pause


class _Reply:
    """A reply in the making.

    Attributes:
        name: the engine in errors.
        has_begun: whether a piece was emitted; then nothing is asked again.
    """

    def __init__(self, engine: "Engine", max_new_tokens: int, emit: Callable[[str], object]) -> None:
        self.name = f"the answering server {engine.url}"
        self.has_begun = False
        self._engine = engine
        self._limits = engine.limits
        self._max_new_tokens = max_new_tokens
        self._most_characters = max_new_tokens * _CHARACTERS_PER_TOKEN
        self._emit_to = emit

    async def receive(self, client: httpx2.AsyncClient, body: Mapping[str, Any]) -> str:
        """Ask once and emit the reply to its end; return why it ended.

        Raises:
            EngineBusyError: a retry may succeed; nothing was emitted.
            EngineError: the reply is refused, malformed or not whole.
        """
        key = self._engine.key
        headers = {"Accept": "text/event-stream", "Accept-Encoding": "identity", "User-Agent": "keepsight"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        try:
            request = client.build_request("POST", self._engine.completions_url, json=dict(body), headers=headers)
            response = await self._in_time(client.send(request, stream=True))
            try:
                if response.status_code != HTTPStatus.OK:
                    raise await self._in_time(self._refusal(response))
                return await self._read(response)
            finally:
                await response.aclose()
        except httpx2.InvalidURL:
            raise EngineError(f"{self.name} has no valid address") from None
        except httpx2.ConnectTimeout:
            seconds = self._limits.connect_seconds
            raise EngineBusyError(f"cannot reach {self.name}: no connection within {seconds:g} s") from None
        except (httpx2.DecodingError, httpx2.SSEError):
            raise EngineError(f"{self.name} sent a reply that cannot be decoded") from None
        except httpx2.HTTPError as error:
            # Neither the cause nor its text is propagated as it is: a server may repeat the key.
            said = shorten(hide(str(error), key)) or type(error).__name__
            if self.has_begun:
                raise EngineError(f"{self.name} broke off its answer: {said}") from None
            raise EngineBusyError(f"cannot reach {self.name}: {said}") from None

    async def _read(self, response: httpx2.Response) -> str:
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "text/event-stream":
            raise EngineError(f"{self.name} must stream text/event-stream, got {shorten(kind) or 'no content type'}")
        spoken, reason, is_done = SpokenText(), None, False
        num_bytes = num_characters = 0
        events = aiter(httpx2.EventSource(response))
        while not is_done and (event := await self._in_time(_next(events))) is not None:
            num_bytes += len(event.data)
            if num_bytes > self._limits.max_bytes:
                raise EngineError(f"{self.name} sent more than {self._limits.max_bytes} bytes")
            if event.data.strip() in ("", DONE):
                is_done = bool(event.data.strip())
                continue
            try:
                chunk = read_chunk(event.data)
            except EngineError as error:
                raise EngineError(f"{self.name} {hide(str(error), self._engine.key)}") from None
            reason = chunk.finish_reason or reason
            piece = spoken.add(chunk.text) if chunk.text else ""
            num_characters += len(piece)
            if num_characters > self._most_characters:
                raise EngineError(f"{self.name} sent more than {self._max_new_tokens} tokens: it ignores max_tokens")
            self._emit(piece)
        self._emit(spoken.rest())
        self._check_whole(reason, is_done)
        return "length" if reason == "length" else "stop"

    def _check_whole(self, reason: str | None, is_done: bool) -> None:
        """Refuse a reply that is not an answer, or only the start of one.

        Raises:
            EngineError: it was cut off or withheld, or has no text.
        """
        if reason is None and not is_done:
            raise EngineError(f"{self.name} broke off its answer")
        if reason == "content_filter":
            raise EngineError(f"{self.name} withheld its answer (content_filter)")
        if not self.has_begun and reason == "length":
            raise EngineError(
                f"{self.name} spent {self._max_new_tokens} tokens without an answer, as models do that think first; "
                "turn that off by answer_options, or raise max_answer_tokens"
            )
        if not self.has_begun:
            raise EngineError(f"{self.name} sent an empty answer")

    def _emit(self, piece: str) -> None:
        if piece:
            self.has_begun = True
            self._emit_to(hide(piece, self._engine.key))

    async def _in_time(self, waiting: Any) -> Any:
        """Wait for the server, for `wait_seconds` at most."""
        try:
            with anyio.fail_after(self._limits.wait_seconds):
                return await waiting
        except TimeoutError:
            seconds = self._limits.wait_seconds
            raise EngineTimeoutError(f"{self.name} sent nothing for {seconds:g} s (answer_wait_seconds)") from None

    async def _refusal(self, response: httpx2.Response) -> EngineError:
        """Error of a response with another status than 200."""
        status = response.status_code
        if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
            return EngineError(f"{self.name} redirects (status {status}), which is not followed; check answer_url")
        content = b""
        async for part in response.aiter_bytes():
            content += part
            if len(content) > _REFUSAL_BYTES:
                break
        said = hide(_said(content), self._engine.key)
        message = f"{self.name} refused with status {status}: {said or 'no reason given'}{_ADVICE.get(status, '')}"
        if status in _BUSY:
            return EngineBusyError(message, seconds_to_wait(response.headers.get("Retry-After")))
        return EngineError(message)


async def _next(events: AsyncIterator[httpx2.ServerSentEvent]) -> httpx2.ServerSentEvent | None:
    """Next event, or None at the end."""
    return await anext(events, None)


def _said(content: bytes) -> str:
    text = content.decode("utf-8", "replace")
    try:
        return reason_in(json.loads(text))
    except (ValueError, RecursionError):
        return shorten(text)
