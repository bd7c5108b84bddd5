"""Whether the server is alive, and whether it can do its work."""

from http import HTTPStatus

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from keepsight.errors import KeepsightError
from keepsight.server.routes.context import Service

router = APIRouter(prefix="/v1/health", tags=["health"])


class Readiness(BaseModel):
    """What the server can do.

    Attributes:
        is_ready: whether it takes new work.
        reasons: why not.
        is_healthy: whether, besides, no stream failed.
        num_watched: streams being watched.
        failed_streams: streams that failed in this server and were not resumed since, such as one whose decoder died
            again and again. They do not make it less ready: it answers, and watches the others.
    """

    is_ready: bool
    reasons: list[str]
    is_healthy: bool
    num_watched: int
    failed_streams: list[str]


@router.head("/live", include_in_schema=False)
@router.get("/live")
async def live() -> dict[str, bool]:
    """Answers as long as the process does."""
    return {"is_live": True}


@router.head("/ready", include_in_schema=False)
@router.get("/ready", response_model=Readiness, responses={503: {"model": Readiness}})
def ready(service: Service) -> JSONResponse:
    """200 where new work is taken, though a stream may have failed (`is_healthy`); 503 with the reasons otherwise."""
    reasons = ["the server is about to end"] if service.is_closing else []
    try:
        service.journal.streams.latest()
    except KeepsightError as error:
        reasons.append(str(error))
    runs = service.runs.all()
    failed = [run.stream.id for run in runs if run.state == "failed"]
    readiness = Readiness(
        is_ready=not reasons,
        reasons=reasons,
        is_healthy=not reasons and not failed,
        num_watched=sum(run.is_alive for run in runs),
        failed_streams=failed,
    )
    return JSONResponse(readiness.model_dump(), HTTPStatus.SERVICE_UNAVAILABLE if reasons else HTTPStatus.OK)
