"""MCP over HTTP, on the server's own streams."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from keepsight.asking.answering import Ask
from keepsight.hub.limiter import Limiter
from keepsight.hub.questions import QuestionService
from keepsight.hub.service import StreamService
from keepsight.journal import CaptionRecord, Journal, StreamRecord
from keepsight.journal.standing_records import StandingQuestion
from keepsight.server.http.access.scopes import granted_scope
from keepsight.server.http.views.streams import stream_view
from keepsight.server.mcp.protocol import make_mcp_server
from keepsight.server.mcp.views import AnswerFound, WatchedStream, answer_found
from keepsight.server.mcp.watched import News, Watched
from keepsight.server.tokens import TokenScope


class ServedStreams:
    """`Watched` on a hub, with the API's limits.

    Args:
        service: the hub.
        questions: answers questions.
        viewers: limiter of waiting clients.
    """

    stores_answers = True

    def __init__(self, service: StreamService, questions: QuestionService, viewers: Limiter) -> None:
        self._service = service
        self._questions = questions
        self._viewers = viewers

    @property
    def journal(self) -> Journal:
        return self._service.journal

    @property
    def is_closing(self) -> bool:
        return self._service.is_closing

    def stream_view(self, stream: StreamRecord) -> WatchedStream:
        view = stream_view(self._service, stream)
        return WatchedStream(**view.model_dump(include=set(WatchedStream.model_fields)))

    def ask(self, stream: StreamRecord, question: str, at_seconds: float | None) -> AnswerFound:
        record, answers = self._questions.begin(stream.id, Ask(question, at_seconds))
        self._questions.finish(answers)
        return answer_found(record.id, answers.answer)

    def news(self, stream_id: str) -> News:
        return self._service.signals.of(stream_id)

    async def judge(self, stream: StreamRecord, question: str, clip: CaptionRecord) -> bool:
        del stream
        return await asyncio.wrap_future(self._service.standing.judge(question, clip))

    @contextmanager
    def place(self, *, is_judged: bool) -> Iterator[None]:
        with self._viewers.taken(), self._service.standing.waiting.taken() if is_judged else nullcontext():
            yield

    def add_standing(self, question: str, stream_id: str | None, cooldown_seconds: float) -> StandingQuestion:
        return self._service.standing.add(question, stream_id=stream_id, cooldown_seconds=cooldown_seconds)

    def watch(self, source: str) -> StreamRecord:
        return self._service.begin(source)


PATH = "/mcp"


class McpEndpoint:
    """ASGI endpoint of the protocol.

    Args:
        may_watch: offer the tool that starts watching to clients with scope manage.
    """

    def __init__(self, *, may_watch: bool = False) -> None:
        self._may_watch = may_watch

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        state = request.app.state
        watched: Watched = ServedStreams(state.service, state.questions, state.viewers)
        may_manage = granted_scope(scope.get("state", {})) >= TokenScope.MANAGE
        server = make_mcp_server(watched, may_manage=may_manage, may_watch=may_manage and self._may_watch)
        # A stateless manager per request: nothing outlives the request.
        manager = StreamableHTTPSessionManager(server, stateless=True)
        async with manager.run():
            await manager.handle_request(scope, receive, send)


def mcp_route(*, may_watch: bool = False) -> Route:
    """The route. GET, which would open a stream of server messages that are never sent, returns 405."""
    return Route(PATH, McpEndpoint(may_watch=may_watch), methods=["POST"], include_in_schema=False)
