"""MCP over stdin and stdout ("stdio" transport), until stdin closes."""

import json
from types import TracebackType
from typing import Protocol, Self

import anyio
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage
from mcp_types import PARSE_ERROR, ErrorData, JSONRPCError
from pydantic import ValidationError

from keepsight.server.mcp.protocol import make_mcp_server
from keepsight.server.mcp.watched import Watched


def serve_stdio(watched: Watched) -> None:
    """Serve one client until it closes stdin. Anything printed meanwhile goes to stderr.

    Args:
        watched: streams that the tools work on.
    """
    anyio.run(_serve, watched)


async def _serve(watched: Watched) -> None:
    server = make_mcp_server(watched)
    async with stdio_server() as (read_stream, write_stream):
        readable = _Readable(read_stream, write_stream)
        await server.run(readable, write_stream, server.create_initialization_options())


class _Lines(Protocol):
    """Message source of the SDK."""

    async def receive(self) -> SessionMessage | Exception: ...

    async def aclose(self) -> None: ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> bool | None: ...


class _Replies(Protocol):
    """Message sink of the SDK."""

    async def send(self, item: SessionMessage, /) -> None: ...


class _Readable:
    """Message source that answers unreadable messages with an error, since the client waits for a reply.

    The SDK skips such lines. The id is parsed leniently, because the usual cause is an unpaired surrogate.

    Args:
        lines: messages or parse errors.
        replies: sink of error replies.
    """

    def __init__(self, lines: _Lines, replies: _Replies) -> None:
        self._lines = lines
        self._replies = replies

    async def receive(self) -> SessionMessage | Exception:
        """Next readable message."""
        while isinstance(item := await self._lines.receive(), Exception):
            await self._replies.send(SessionMessage(_refusal(item)))
        return item

    async def aclose(self) -> None:
        await self._lines.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> Self:
        await self._lines.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return await self._lines.__aexit__(kind, error, trace)


def _refusal(error: Exception) -> JSONRPCError:
    """Error reply to an unreadable line (JSON-RPC 2.0, section 5.1)."""
    message = "the line must be a JSON-RPC message in UTF-8, without unpaired surrogates"
    return JSONRPCError(jsonrpc="2.0", id=_id_in(error), error=ErrorData(code=PARSE_ERROR, message=message))


def _id_in(error: Exception) -> str | int | None:
    """Id of an unreadable message; None if it cannot be returned."""
    if not isinstance(error, ValidationError):
        return None
    line = error.errors(include_url=False)[0]["input"]
    try:
        values = json.loads(line) if isinstance(line, str) else line
    except (ValueError, RecursionError):
        return None
    found = values.get("id") if isinstance(values, dict) else None
    if isinstance(found, str):
        return found if found.isprintable() else None
    return found if type(found) is int else None
