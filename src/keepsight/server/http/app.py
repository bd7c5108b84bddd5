"""The HTTP application: routes and middleware."""

from importlib.metadata import version
from typing import TYPE_CHECKING

from fastapi import Depends, FastAPI

from keepsight.hub.limiter import Limiter
from keepsight.hub.newest_pictures import NewestPictures
from keepsight.hub.questions import QuestionService
from keepsight.hub.service import StreamService
from keepsight.server.http.access.bodies import BodyLimit
from keepsight.server.http.access.gate import Gate, token_ring
from keepsight.server.http.access.players import Players
from keepsight.server.http.access.queries import QueryText, refuse_unknown_query
from keepsight.server.http.access.sessions import SessionStore
from keepsight.server.http.description import DescribedApp
from keepsight.server.http.failures import answer_errors
from keepsight.server.http.routes import (
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
from keepsight.server.http.routes.context import refusals
from keepsight.server.mcp.served import mcp_route
from keepsight.server.settings import ServerSettings
from keepsight.server.telemetry.logs import AccessLog, LogObserver
from keepsight.server.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

MOST_REPORTS = 2
"""Concurrent reports; a large one keeps a core busy."""

ROUTES = (
    streams,
    clips,
    moments,
    events,
    questions,
    export,
    health,
    standing,
    session,
    uploads,
    video,
    frames,
    metrics,
    openai,
    page,
    about,
    memory,
    toys,
)
"""Modules of `routes/` whose `router` is included, in the order of the reference: a new one goes here."""

_ANY_QUERY = (openai, page, metrics)
"""Modules whose routes ignore unknown query parameters, as their clients may add some of their own."""

_DESCRIPTION = """
Watch video and ask about it. Every error is `{"error": {"message": ...}}`. Where the server has a token, every request
but those for the page and `/v1/session` needs `Authorization: Bearer TOKEN`, or the cookie that `/v1/session` gives.
"""


def make_app(service: StreamService, settings: ServerSettings, tracer: "Tracer | None" = None) -> FastAPI:
    """Make the application over a service, which the caller closes after the server has stopped.

    Args:
        service: the hub.
        settings: access and limits.
        tracer: receives spans; None for no tracing.
    """
    app = DescribedApp(
        title="Keepsight",
        version=version("keepsight"),
        description=_DESCRIPTION,
        openapi_url="/v1/openapi.json",
        # FastAPI's own pages load scripts from another site.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        # FastAPI's own spans contain queries, and its logs exception texts, if a global provider is set.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.state.service = service
    app.state.settings = settings
    app.state.questions = QuestionService(service, settings.max_questions_in_flight)
    app.state.sessions, app.state.ring = SessionStore(), token_ring(settings)
    app.state.newest = NewestPictures(service.runs)
    app.state.viewers = Limiter(settings.max_viewers, "open event streams")
    app.state.players = Players(settings.max_players)
    app.state.reports = Limiter(MOST_REPORTS, "reports being written")
    app.state.toys = Limiter(1, "toy videos being made")
    app.state.metrics = Metrics(service, app.state.questions, app.state.viewers)
    service.observers.all += [app.state.metrics, LogObserver()]
    for resource in ROUTES:
        if resource in _ANY_QUERY:
            app.include_router(resource.router)
        else:
            app.include_router(resource.router, dependencies=[Depends(refuse_unknown_query)], responses=refusals(422))
    app.router.routes.append(mcp_route(may_watch=settings.mcp_may_watch))
    answer_errors(app)
    # The last middleware added runs first, so access is checked before anything is read.
    app.add_middleware(QueryText)
    app.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes, seconds=settings.body_seconds)
    app.add_middleware(Gate, settings=settings, sessions=app.state.sessions)
    app.add_middleware(AccessLog)
    if tracer is not None:
        from keepsight.server.telemetry.tracing import TraceObserver, TraceRequests

        service.observers.all.append(TraceObserver(tracer))
        app.add_middleware(TraceRequests, tracer=tracer)
    return app
