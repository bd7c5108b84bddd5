"""What is answered when something is wrong: JSON, `{"error": {"message": ...}}`, with the fitting status."""

import logging
from collections.abc import Mapping
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from keepsight import errors
from keepsight.errors import KeepsightError
from keepsight.server.access.headers import SECURITY_HEADERS

logger = logging.getLogger(__name__)

UNFORESEEN = "something went wrong in the server; its log has more"
"""All that a client is told of a mistake in the server itself."""

RETRY_SECONDS = 5
"""What `Retry-After` says where something is busy."""

_NO_JSON = frozenset({"json_invalid", "model_attributes_type"})
_WHERE = frozenset({"body", "query", "path", "header"})
_ROUTING = {
    "Not Found": "there is no such route; /v1/openapi.json describes all",
    "Method Not Allowed": "the route does not take this method; /v1/openapi.json describes all",
}
"""What Starlette says where no route takes a request, and what is said in its place."""

# The first kind that fits counts.
_STATUS_OF: tuple[tuple[type[KeepsightError], HTTPStatus], ...] = (
    (errors.SettingError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (errors.AddressRefusedError, HTTPStatus.FORBIDDEN),
    (errors.VideoTooLongError, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (errors.VideoError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (errors.PromptTooLongError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (errors.EmptyJournalError, HTTPStatus.CONFLICT),
    (errors.StreamLockedError, HTTPStatus.CONFLICT),
    (errors.DiskFullError, HTTPStatus.INSUFFICIENT_STORAGE),
    (errors.JournalWriteError, HTTPStatus.SERVICE_UNAVAILABLE),
    (KeepsightError, HTTPStatus.INTERNAL_SERVER_ERROR),
)


def no_such_stream(stream_id: str) -> HTTPException:
    """What a request for a stream that is not there gets; its name may be anything, so it is not repeated."""
    del stream_id
    return HTTPException(HTTPStatus.NOT_FOUND, "there is no such stream")


def conflict(message: str) -> HTTPException:
    """The request does not fit with how things stand."""
    return HTTPException(HTTPStatus.CONFLICT, message)


def too_many(message: str) -> HTTPException:
    """A limit is reached; it helps to come again."""
    return HTTPException(HTTPStatus.TOO_MANY_REQUESTS, message, headers={"Retry-After": str(RETRY_SECONDS)})


def status_of(error: KeepsightError) -> HTTPStatus:
    """The HTTP status that says most about an error."""
    return next(status for kind, status in _STATUS_OF if isinstance(error, kind))


def error_response(status: int, message: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The answer that says what is wrong."""
    return JSONResponse({"error": {"message": message}}, status, headers=dict(headers or {}))


def answer_errors(app: FastAPI) -> None:
    """Make every error of an application one of these."""

    @app.exception_handler(HTTPException)
    async def refused(_: Request, error: HTTPException) -> JSONResponse:
        return error_response(error.status_code, _ROUTING.get(str(error.detail), str(error.detail)), error.headers)

    @app.exception_handler(RequestValidationError)
    async def malformed(_: Request, error: RequestValidationError) -> JSONResponse:
        return error_response(HTTPStatus.UNPROCESSABLE_ENTITY, first_problem(error))

    @app.exception_handler(KeepsightError)
    async def ours(_: Request, error: KeepsightError) -> JSONResponse:
        return error_response(status_of(error), str(error))

    @app.exception_handler(Exception)
    async def unforeseen(_: Request, error: Exception) -> JSONResponse:
        del error  # uvicorn logs it with its traceback
        # This answer is made outside the gate, which puts these on all others.
        return error_response(HTTPStatus.INTERNAL_SERVER_ERROR, UNFORESEEN, SECURITY_HEADERS)


def first_problem(error: RequestValidationError) -> str:
    """Where the first problem is and what is allowed; never the value itself, which may hold a password."""
    problem = error.errors()[0]
    if problem["type"] in _NO_JSON:
        return "the body must be a JSON object, with Content-Type: application/json"
    where, *within = problem["loc"]
    parts = within if where in _WHERE else problem["loc"]
    place = ".".join(map(str, parts)) or "the body"
    # A key of the body may hold half a character, which JSON in UTF-8 cannot.
    return f"{place}: {problem['msg'].removeprefix('Value error, ')}".encode("utf-8", "backslashreplace").decode()
