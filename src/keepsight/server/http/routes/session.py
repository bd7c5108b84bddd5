"""Browser sessions: a token is exchanged once for an HttpOnly cookie."""

from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from keepsight.server.http.access.sessions import SESSION_COOKIE, SESSION_SECONDS, SessionStore, session_ids_of
from keepsight.server.http.routes.context import from_app, refusals
from keepsight.server.http.views.requests import Asked
from keepsight.server.tokens import TokenRing, TokenScope

router = APIRouter(prefix="/v1/session", tags=["session"])


class ShownToken(Asked):
    """A token to exchange for a session."""

    token: str = Field(min_length=1, max_length=1000, examples=["a-long-random-secret"])


class SessionView(BaseModel):
    """Scope of the client."""

    needs_token: bool = Field(description="Whether this server requires a token.")
    scope: Literal["read", "ask", "manage"] | None = Field(description="Your scope; null without one.")


Sessions = Annotated[SessionStore, from_app("sessions")]
Ring = Annotated[TokenRing, from_app("ring")]


@router.get("")
def show(request: Request, ring: Ring) -> SessionView:
    """Show the client's scope."""
    return _view(ring, request.state.token_scope)


@router.post("", response_model=SessionView, responses=refusals(401, 403, 422))
def begin(shown: ShownToken, request: Request, ring: Ring, sessions: Sessions) -> JSONResponse:
    """Exchange a token for a session cookie. A server without tokens accepts any.

    The cookie holds a random id and expires when the server stops, or after a week.
    """
    if not ring.is_needed:
        return JSONResponse(_view(ring, TokenScope.MANAGE).model_dump())
    scope = ring.scope_of(shown.token.strip())
    if scope is None:
        raise HTTPException(HTTPStatus.UNAUTHORIZED, "invalid token", {"WWW-Authenticate": "Bearer"})
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
    """Whether the browser used TLS, with this server or a proxy, as its same-site Origin shows."""
    return request.url.scheme == "https" or request.headers.get("origin", "").lower().startswith("https://")
