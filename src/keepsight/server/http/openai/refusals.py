"""Errors in OpenAI's format: `{"error": {"message", "type", "param", "code"}}`."""

from collections.abc import Callable, Coroutine, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from keepsight.errors import KeepsightError
from keepsight.server.http.failures import headers_of, status_of
from keepsight.server.http.problems import first_problem, in_words, place_of

_CODES = {
    HTTPStatus.NOT_FOUND: "model_not_found",
    HTTPStatus.CONFLICT: "nothing_captioned",
    HTTPStatus.TOO_MANY_REQUESTS: "rate_limit_exceeded",
}
# OpenAI's client retries a conflict after half a second, which is before the next caption.
_NO_RETRY = {"x-should-retry": "false"}


class OpenAiRefusal(BaseModel):
    """An error as OpenAI clients read it."""

    message: str
    type: str
    param: str | None
    code: str | None


class OpenAiErrorView(BaseModel):
    """Error response of these routes."""

    error: OpenAiRefusal


class OpenAiError(Exception):
    """A refused request.

    Attributes:
        status: HTTP status.
        refusal: its content.
    """

    def __init__(self, status: int, refusal: OpenAiRefusal) -> None:
        super().__init__(refusal.message)
        self.status = status
        self.refusal = refusal


def bad_request(message: str, param: str | None = None, code: str | None = None) -> OpenAiError:
    """Error for an unsupported or invalid request."""
    return OpenAiError(HTTPStatus.BAD_REQUEST, refusal_of(HTTPStatus.BAD_REQUEST, message, param, code))


def refusal_of(status: int, message: str, param: str | None = None, code: str | None = None) -> OpenAiRefusal:
    """Error content of a status."""
    kind = "invalid_request_error"
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        kind = "rate_limit_error"
    elif status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        kind = "server_error"
    return OpenAiRefusal(message=message, type=kind, param=param, code=code or _CODES.get(HTTPStatus(status)))


class OpenAiRoute(APIRoute):
    """Route whose errors have OpenAI's format."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the handler; see FastAPI, "Custom Request and APIRoute class"."""
        handle = super().get_route_handler()

        async def handle_and_say(request: Request) -> Response:
            try:
                return await handle(request)
            except OpenAiError as error:
                return _response(error.status, error.refusal)
            except RequestValidationError as error:
                return _response(HTTPStatus.BAD_REQUEST, _malformed(error))
            except HTTPException as error:
                return _response(error.status_code, refusal_of(error.status_code, str(error.detail)), error.headers)
            except KeepsightError as error:
                return _failure(error)

        return handle_and_say


def openai_refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Error responses of a route, for the OpenAPI description."""
    return {status: {"model": OpenAiErrorView} for status in statuses}


def _malformed(error: RequestValidationError) -> OpenAiRefusal:
    problem = first_problem(error.errors())
    return refusal_of(HTTPStatus.BAD_REQUEST, in_words(problem), next(iter(place_of(problem)), None))


def _failure(error: KeepsightError) -> JSONResponse:
    """OpenAI clients get 400 for a refused setting or question."""
    status = status_of(error)
    if status == HTTPStatus.UNPROCESSABLE_ENTITY:
        status = HTTPStatus.BAD_REQUEST
    headers = _NO_RETRY if status == HTTPStatus.CONFLICT else headers_of(error)
    return _response(status, refusal_of(status, str(error)), headers)


def _response(status: int, refusal: OpenAiRefusal, headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": refusal.model_dump()}, status, headers=dict(headers or {}))
