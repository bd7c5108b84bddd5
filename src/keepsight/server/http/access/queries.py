"""Rejects query strings that are not UTF-8, which would be searched for as something else."""

from http import HTTPStatus
from urllib.parse import unquote_to_bytes

from starlette.types import ASGIApp, Receive, Scope, Send

from keepsight.server.http.failures import error_response


class QueryText:
    """ASGI middleware that refuses a request whose query is not UTF-8 (WHATWG URL, "percent-encode after encoding").

    Args:
        app: handles all other requests.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not _is_utf8(scope["query_string"]):
            message = "the query must be percent-encoded UTF-8, got other bytes"
            await error_response(HTTPStatus.UNPROCESSABLE_ENTITY, message)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _is_utf8(query: bytes) -> bool:
    try:
        unquote_to_bytes(query).decode()
    except UnicodeDecodeError:
        return False
    return True
