"""Error responses: JSON `{"error": {"message": ...}}` with a matching status."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from math import ceil

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from keepsight import errors
from keepsight.errors import KeepsightError
from keepsight.hub.states import UNFORESEEN
from keepsight.server.http.problems import first_problem, in_words
from keepsight.server.http.security_headers import SECURITY_HEADERS

logger = logging.getLogger(__name__)

RETRY_SECONDS = 5
"""`Retry-After` of a busy server."""

_ROUTING = {
    "Not Found": "no such route; see /v1/openapi.json",
    "Method Not Allowed": "method not allowed; see /v1/openapi.json",
}
"""Starlette's texts for unmatched requests, and their replacements."""

# The first matching kind wins.
_STATUS_OF: tuple[tuple[type[KeepsightError], HTTPStatus], ...] = (
    (errors.NotFoundError, HTTPStatus.NOT_FOUND),
    (errors.ConflictError, HTTPStatus.CONFLICT),
    (errors.BusyError, HTTPStatus.TOO_MANY_REQUESTS),
    (errors.TooLargeError, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (errors.SettingError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (errors.AddressRefusedError, HTTPStatus.FORBIDDEN),
    (errors.VideoTooLongError, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (errors.SourceChangedError, HTTPStatus.CONFLICT),
    (errors.VideoError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (errors.EngineBusyError, HTTPStatus.SERVICE_UNAVAILABLE),
    (errors.EngineTimeoutError, HTTPStatus.GATEWAY_TIMEOUT),
    (errors.EngineError, HTTPStatus.BAD_GATEWAY),
    (errors.PromptTooLongError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (errors.EmptyJournalError, HTTPStatus.CONFLICT),
    (errors.UnknownStreamError, HTTPStatus.NOT_FOUND),
    (errors.StreamLockedError, HTTPStatus.CONFLICT),
    (errors.DiskFullError, HTTPStatus.INSUFFICIENT_STORAGE),
    (errors.JournalWriteError, HTTPStatus.SERVICE_UNAVAILABLE),
    (KeepsightError, HTTPStatus.INTERNAL_SERVER_ERROR),
)


def status_of(error: KeepsightError) -> HTTPStatus:
    """HTTP status of an error."""
    return next(status for kind, status in _STATUS_OF if isinstance(error, kind))


def headers_of(error: KeepsightError) -> dict[str, str]:
    """Headers of an error response: when to retry, or the offset of an upload."""
    if isinstance(error, errors.BusyError):
        return {"Retry-After": str(RETRY_SECONDS)}
    if isinstance(error, errors.EngineBusyError):
        return {"Retry-After": str(ceil(error.wait_seconds or RETRY_SECONDS))}
    return {"Upload-Offset": str(error.offset_bytes)} if isinstance(error, errors.UploadOffsetError) else {}


def error_response(status: int, message: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Error response with a message."""
    return JSONResponse({"error": {"message": message}}, status, headers=dict(headers or {}))


def answer_errors(app: FastAPI) -> None:
    """Make the application return every error in this format."""

    @app.exception_handler(HTTPException)
    async def refused(_: Request, error: HTTPException) -> JSONResponse:
        return error_response(error.status_code, _ROUTING.get(str(error.detail), str(error.detail)), error.headers)

    @app.exception_handler(RequestValidationError)
    async def malformed(_: Request, error: RequestValidationError) -> JSONResponse:
        return error_response(HTTPStatus.UNPROCESSABLE_ENTITY, in_words(first_problem(error.errors())))

    @app.exception_handler(KeepsightError)
    async def ours(_: Request, error: KeepsightError) -> JSONResponse:
        return error_response(status_of(error), str(error), headers_of(error))

    @app.exception_handler(Exception)
    async def unforeseen(_: Request, error: Exception) -> JSONResponse:
        del error  # uvicorn logs it with its traceback
        # This response bypasses the gate, which adds these headers to all others.
        return error_response(HTTPStatus.INTERNAL_SERVER_ERROR, UNFORESEEN, SECURITY_HEADERS)
