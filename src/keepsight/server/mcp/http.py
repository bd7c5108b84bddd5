"""The tools over HTTP, at `/mcp` (MCP, "Streamable HTTP"): each request stands for itself, there are no sessions.

The gate in front of the application has looked at token, scope, Host and Origin.
"""

from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from keepsight.server.access.scopes import granted_scope
from keepsight.server.access.tokens import TokenScope
from keepsight.server.mcp.protocol import make_mcp_server
from keepsight.server.mcp.served import ServedStreams
from keepsight.server.mcp.watched import Watched

PATH = "/mcp"


class McpEndpoint:
    """Answers requests of the protocol.

    Args:
        may_watch: whether those who may manage find a tool that begins to watch a source.
    """

    def __init__(self, *, may_watch: bool = False) -> None:
        self._may_watch = may_watch

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        request = Request(scope)
        state = request.app.state
        watched: Watched = ServedStreams(state.service, state.desk, state.viewers)
        may_manage = granted_scope(scope.get("state", {})) >= TokenScope.MANAGE
        server = make_mcp_server(watched, may_manage=may_manage, may_watch=may_manage and self._may_watch)
        # One manager a request: it holds nothing from one request to the next, and no task outlives its request.
        manager = StreamableHTTPSessionManager(server, stateless=True)
        async with manager.run():
            await manager.handle_request(scope, receive, send)


def mcp_route(*, may_watch: bool = False) -> Route:
    """The route; a GET, which would open a stream of messages that nobody sends, is refused with 405."""
    return Route(PATH, McpEndpoint(may_watch=may_watch), methods=["POST"], include_in_schema=False)
