"""The official MCP client at a server, and calls of its tools that must succeed or must be refused."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import TextContent, Tool

from tests.patience import DEADLINE_SECONDS


@asynccontextmanager
async def connect(port: int, token: str | None = None, mode: str = "auto", **headers: str) -> AsyncIterator[Client]:
    """A client at a port of loopback."""
    carried = headers if token is None else {"Authorization": f"Bearer {token}", **headers}
    async with httpx2.AsyncClient(headers=carried, timeout=2 * DEADLINE_SECONDS) as http:
        transport = streamable_http_client(f"http://127.0.0.1:{port}/mcp", http_client=http)
        async with Client(transport, mode=mode) as client:
            yield client


def text_of(content: object) -> str:
    """Of the part of a result that is a text."""
    assert isinstance(content, TextContent)
    return content.text


def is_read_only(tool: Tool) -> bool | None:
    """Whether a tool says that it changes nothing; None where it does not say."""
    assert tool.annotations is not None
    return tool.annotations.read_only_hint


async def call(client: Client, tool: str, **arguments: Any) -> Any:
    """What a tool gives; the text says the same."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    assert json.loads(text_of(result.content[0])) == result.structured_content
    return result.structured_content


async def refusal(client: Client, tool: str, **arguments: Any) -> str:
    """The one line that says why a tool does not."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error
    (content,) = result.content
    text = text_of(content)
    assert "\n" not in text
    return text
