"""What routes are given."""

from typing import Annotated, Any

from fastapi import Depends, Path, Request

from keepsight.journal import StreamRecord
from keepsight.server.limits import Slots
from keepsight.server.questions import QuestionDesk
from keepsight.server.settings import ServerSettings
from keepsight.server.streams import StreamService
from keepsight.server.views import ErrorView

LARGEST_INDEX = 2**53
"""Beyond this neither JSON nor SQLite has whole numbers that all agree on."""


def _service(request: Request) -> StreamService:
    service: StreamService = request.app.state.service
    return service


def _desk(request: Request) -> QuestionDesk:
    desk: QuestionDesk = request.app.state.desk
    return desk


def _viewers(request: Request) -> Slots:
    viewers: Slots = request.app.state.viewers
    return viewers


def _settings(request: Request) -> ServerSettings:
    settings: ServerSettings = request.app.state.settings
    return settings


Service = Annotated[StreamService, Depends(_service)]
Desk = Annotated[QuestionDesk, Depends(_desk)]
Viewers = Annotated[Slots, Depends(_viewers)]
Served = Annotated[ServerSettings, Depends(_settings)]


def _stream(stream_id: Annotated[str, Path(examples=["3f9c2b7a1d0e4c55"])], service: Service) -> StreamRecord:
    return service.get(stream_id)


Stream = Annotated[StreamRecord, Depends(_stream)]
"""The stream that the path names; 404 where there is none."""

ClipIndex = Annotated[int, Path(ge=0, le=LARGEST_INDEX, examples=[7])]


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The errors of a route, for its documentation."""
    return {status: {"model": ErrorView} for status in statuses}
