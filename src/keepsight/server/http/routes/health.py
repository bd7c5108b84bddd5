"""Liveness and readiness."""

from http import HTTPStatus

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from keepsight.errors import KeepsightError
from keepsight.server.http.routes.context import Service

router = APIRouter(prefix="/v1/health", tags=["health"])


class Readiness(BaseModel):
    """Readiness of the server.

    Attributes:
        is_ready: whether it accepts new work.
        reasons: why it is not ready.
        is_healthy: whether it is ready and no stream failed.
        num_watched: active streams.
        failed_streams: streams that failed in this server and were not resumed; they do not affect readiness.
    """

    is_ready: bool
    reasons: list[str]
    is_healthy: bool
    num_watched: int
    failed_streams: list[str]


@router.head("/live", include_in_schema=False)
@router.get("/live")
async def live() -> dict[str, bool]:
    """Return 200 while the process is alive."""
    return {"is_live": True}


@router.head("/ready", include_in_schema=False)
@router.get("/ready", response_model=Readiness, responses={503: {"model": Readiness}})
def ready(service: Service) -> JSONResponse:
    """Return 200 if the server accepts new work, even if a stream failed (`is_healthy`); else 503 with reasons."""
    reasons = ["the server is shutting down"] if service.is_closing else []
    if trouble := service.journal.trouble():
        reasons.append(trouble)
    try:
        service.journal.streams.latest()
    except KeepsightError as error:
        if str(error) not in reasons:
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
