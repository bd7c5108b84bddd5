"""Rejects queries that would be read as something else: those that are not UTF-8, and parameters that no route has."""

from collections.abc import Iterator
from http import HTTPStatus
from urllib.parse import unquote_to_bytes

from fastapi import Request
from fastapi.dependencies.models import Dependant
from starlette.types import ASGIApp, Receive, Scope, Send

from keepsight.errors import SettingError
from keepsight.incoming import short, unknown
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


async def refuse_unknown_query(request: Request) -> None:
    """Refuse a query parameter that the matched route does not have: without it the reply would mean something else.

    It runs before the route's own parameters are read, so a misspelled name is reported before a missing one.

    Raises:
        SettingError: the parameter is unknown.
    """
    known = frozenset(_query_names(request.scope["route"].dependant))
    for name in request.query_params:
        if name not in known:
            what_is = unknown(name, known, "parameters") if known else "unknown; this route has no query parameters"
            raise SettingError(f"{short(name) or 'a parameter without a name'} is {what_is}")


def _query_names(dependant: Dependant) -> Iterator[str]:
    """Names of a route's query parameters, with those of what it depends on."""
    for parameter in dependant.query_params:
        yield parameter.alias
    for inner in dependant.dependencies:
        yield from _query_names(inner)
