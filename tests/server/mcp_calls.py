"""The official MCP client at a server, and calls of its tools that must succeed or must be refused."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client


@asynccontextmanager
async def connect(port: int, token: str | None = None, mode: str = "auto", **headers: str) -> AsyncIterator[Client]:
    """A client at a port of loopback."""
    carried = headers if token is None else {"Authorization": f"Bearer {token}", **headers}
    async with httpx2.AsyncClient(headers=carried, timeout=20) as http:
        transport = streamable_http_client(f"http://127.0.0.1:{port}/mcp", http_client=http)
        async with Client(transport, mode=mode) as client:
            yield client


async def call(client: Client, tool: str, **arguments: Any) -> Any:
    """What a tool gives; the text says the same."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    assert json.loads(result.content[0].text) == result.structured_content
    return result.structured_content


async def refusal(client: Client, tool: str, **arguments: Any) -> str:
    """The one line that says why a tool does not."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error
    (content,) = result.content
    assert "\n" not in content.text
    return str(content.text)
