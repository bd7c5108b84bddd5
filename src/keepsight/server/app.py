"""The HTTP application: routes, and what stands in front of them."""

from importlib.metadata import version
from typing import TYPE_CHECKING

from fastapi import FastAPI

from keepsight.server.access.gate import Gate, token_ring
from keepsight.server.access.limits import BodyLimit, Slots
from keepsight.server.access.sessions import SessionStore
from keepsight.server.description import DescribedApp
from keepsight.server.failures import answer_errors
from keepsight.server.mcp.http import mcp_route
from keepsight.server.questions import QuestionDesk
from keepsight.server.routes import (
    about,
    clips,
    events,
    export,
    frames,
    health,
    memory,
    metrics,
    moments,
    openai,
    page,
    questions,
    session,
    standing,
    streams,
    toys,
    uploads,
    video,
)
from keepsight.server.settings import ServerSettings
from keepsight.server.streams.newest import NewestPictures
from keepsight.server.streams.service import StreamService
from keepsight.server.telemetry.logs import AccessLog, LogObserver
from keepsight.server.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

MOST_REPORTS = 2
"""Written at a time: making one of many clips keeps a core busy."""

_DESCRIPTION = """
Watch video and ask about it. Every error is `{"error": {"message": ...}}`. Where the server has a token, every request
but those for the page and `/v1/session` needs `Authorization: Bearer TOKEN`, or the cookie that `/v1/session` gives.
"""


def make_app(service: StreamService, settings: ServerSettings, tracer: "Tracer | None" = None) -> FastAPI:
    """The application over a service, which the caller closes after the server has ended.

    Args:
        service: watches and answers.
        settings: whom it answers, and how much.
        tracer: takes spans of what is done; None for none.
    """
    app = DescribedApp(
        title="Keepsight",
        version=version("keepsight"),
        description=_DESCRIPTION,
        openapi_url="/v1/openapi.json",
        # FastAPI's own pages load their scripts from another site.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        # FastAPI's own spans have queries, and its logs exceptions' words, wherever a global provider is set.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.state.service = service
    app.state.settings = settings
    app.state.desk = QuestionDesk(service, settings.max_questions_in_flight)
    app.state.sessions, app.state.ring = SessionStore(), token_ring(settings)
    app.state.newest = NewestPictures(service.runs)
    app.state.viewers = Slots(settings.max_viewers, "event streams are open")
    for resource in (streams, clips, moments, events, questions, export, health):
        app.include_router(resource.router)
    app.include_router(standing.router)
    for resource in (session, uploads, video, frames):
        app.include_router(resource.router)
    app.state.metrics = Metrics(service, app.state.desk, app.state.viewers)
    service.observers.all += [app.state.metrics, LogObserver()]
    app.include_router(metrics.router)
    app.include_router(openai.router)
    app.router.routes.append(mcp_route(may_watch=settings.mcp_may_watch))
    app.state.reports = Slots(MOST_REPORTS, "reports are being written")
    app.state.toys = Slots(1, "toy videos are being made")
    for part in (page, about, memory, toys):
        app.include_router(part.router)
    answer_errors(app)
    # The one added last is asked first: whoever may not ask is not listened to.
    app.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes, seconds=settings.body_seconds)
    app.add_middleware(Gate, settings=settings, sessions=app.state.sessions)
    app.add_middleware(AccessLog)
    if tracer is not None:
        from keepsight.server.telemetry.tracing import TraceObserver, TraceRequests

        service.observers.all.append(TraceObserver(tracer))
        app.add_middleware(TraceRequests, tracer=tracer)
    return app
