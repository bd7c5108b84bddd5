"""A browser's session: a token is shown once, and a cookie that no script can read stands for it from then on."""

from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from keepsight.server.access.sessions import SESSION_COOKIE, SESSION_SECONDS, SessionStore, session_ids_of
from keepsight.server.access.tokens import TokenRing, TokenScope
from keepsight.server.routes.context import from_app, refusals
from keepsight.server.views.requests import Asked

router = APIRouter(prefix="/v1/session", tags=["session"])


class ShownToken(Asked):
    """A token, to be exchanged for a session."""

    token: str = Field(min_length=1, max_length=1000, examples=["a-long-random-secret"])


class SessionView(BaseModel):
    """What the one who asks may do."""

    needs_token: bool = Field(description="Whether this server has tokens at all.")
    scope: Literal["read", "ask", "manage"] | None = Field(description="What you may do; null for nothing yet.")


Sessions = Annotated[SessionStore, from_app("sessions")]
Ring = Annotated[TokenRing, from_app("ring")]


@router.get("")
def show(request: Request, ring: Ring) -> SessionView:
    """What the one who asks may do."""
    return _view(ring, request.state.token_scope)


@router.post("", response_model=SessionView, responses=refusals(401, 403, 422))
def begin(shown: ShownToken, request: Request, ring: Ring, sessions: Sessions) -> JSONResponse:
    """Show a token; from then on the cookie in the answer stands for it. Where there are no tokens any will do.

    The cookie holds a random id and ends with the server, or after a week.
    """
    if not ring.is_needed:
        return JSONResponse(_view(ring, TokenScope.MANAGE).model_dump())
    scope = ring.scope_of(shown.token.strip())
    if scope is None:
        raise HTTPException(HTTPStatus.UNAUTHORIZED, "this is no token of this server", {"WWW-Authenticate": "Bearer"})
    sessions.end(session_ids_of(request.headers.getlist("cookie")))
    response = JSONResponse(_view(ring, scope).model_dump())
    response.set_cookie(
        SESSION_COOKIE,
        sessions.begin(scope),
        max_age=SESSION_SECONDS,
        path="/",
        httponly=True,
        samesite="strict",
        secure=_came_over_https(request),
    )
    return response


@router.delete("", status_code=HTTPStatus.NO_CONTENT, responses=refusals(403))
def end(request: Request, sessions: Sessions) -> Response:
    """End the session, if there is one."""
    sessions.end(session_ids_of(request.headers.getlist("cookie")))
    response = Response(status_code=HTTPStatus.NO_CONTENT)
    response.delete_cookie(SESSION_COOKIE, path="/", httponly=True, samesite="strict")
    return response


def _view(ring: TokenRing, scope: TokenScope | None) -> SessionView:
    label = None if scope is None else scope.label
    return SessionView(needs_token=ring.is_needed, scope=label)  # type: ignore[arg-type]


def _came_over_https(request: Request) -> bool:
    """Whether the browser spoke TLS, with us or with a proxy: its Origin says so, and is that of this very host."""
    return request.url.scheme == "https" or request.headers.get("origin", "").lower().startswith("https://")
