"""What routes are given."""

from typing import Annotated, Any

from fastapi import Depends, Path, Request

from keepsight.journal import StreamRecord
from keepsight.server.access.limits import Slots
from keepsight.server.questions import QuestionDesk
from keepsight.server.settings import ServerSettings
from keepsight.server.streams.service import StreamService
from keepsight.server.views.refusals import ErrorView

LARGEST_INDEX = 2**53
"""Beyond this neither JSON nor SQLite has whole numbers that all agree on."""


def from_app(name: str) -> Any:
    """What `make_app` put into the application's state under a name, as a parameter of routes."""

    def found(request: Request) -> Any:
        return getattr(request.app.state, name)

    return Depends(found)


Service = Annotated[StreamService, from_app("service")]
Desk = Annotated[QuestionDesk, from_app("desk")]
Viewers = Annotated[Slots, from_app("viewers")]
Served = Annotated[ServerSettings, from_app("settings")]


def _stream(stream_id: Annotated[str, Path(examples=["3f9c2b7a1d0e4c55"])], service: Service) -> StreamRecord:
    return service.get(stream_id)


Stream = Annotated[StreamRecord, Depends(_stream)]
"""The stream that the path names; 404 where there is none."""

ClipIndex = Annotated[int, Path(ge=0, le=LARGEST_INDEX, examples=[7])]


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The errors of a route, for its documentation."""
    return {status: {"model": ErrorView} for status in statuses}
