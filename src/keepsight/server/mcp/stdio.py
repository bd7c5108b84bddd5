"""The tools over stdin and stdout (MCP, "stdio"), until stdin ends."""

import anyio
from mcp.server.stdio import stdio_server

from keepsight.server.mcp.protocol import make_mcp_server
from keepsight.server.mcp.watched import Watched


def serve_stdio(watched: Watched) -> None:
    """Answer one client until it closes stdin. What would be printed meanwhile goes to stderr.

    Args:
        watched: what the tools work on.
    """
    anyio.run(_serve, watched)


async def _serve(watched: Watched) -> None:
    server = make_mcp_server(watched)
    async with stdio_server() as (read_stream, write_stream):
        await server.run(read_stream, write_stream, server.create_initialization_options())
