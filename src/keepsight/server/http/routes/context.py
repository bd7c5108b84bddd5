"""Shared parameters of routes."""

from typing import Annotated, Any

from fastapi import Depends, Path, Request

from keepsight.hub.limiter import Limiter
from keepsight.hub.questions import QuestionService
from keepsight.hub.service import StreamService
from keepsight.journal import StreamRecord
from keepsight.server.http.access.players import Players
from keepsight.server.http.views.refusals import ErrorView
from keepsight.server.settings import ServerSettings

LARGEST_INDEX = 2**53
"""Largest integer that JSON and SQLite represent exactly alike."""


def from_app(name: str) -> Any:
    """Route parameter: value that `make_app` stored in the application's state."""

    def found(request: Request) -> Any:
        return getattr(request.app.state, name)

    return Depends(found)


Service = Annotated[StreamService, from_app("service")]
Questions = Annotated[QuestionService, from_app("questions")]
Viewers = Annotated[Limiter, from_app("viewers")]
PlayersNow = Annotated[Players, from_app("players")]
Served = Annotated[ServerSettings, from_app("settings")]


def _stream(stream_id: Annotated[str, Path(examples=["3f9c2b7a1d0e4c55"])], service: Service) -> StreamRecord:
    return service.get(stream_id)


Stream = Annotated[StreamRecord, Depends(_stream)]
"""Stream in the path; 404 if there is none."""

ClipIndex = Annotated[int, Path(ge=0, le=LARGEST_INDEX, examples=[7])]


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Error responses of a route, for the OpenAPI description."""
    return {status: {"model": ErrorView} for status in statuses}
