"""Server-sent events of all streams: state changes and alerts, resumable.

Every event's id is that of the last alert sent, so no alert is lost or sent twice. A new client gets all current states
first, then changes.
"""

from collections.abc import AsyncGenerator

from fastapi.concurrency import run_in_threadpool

from keepsight.errors import JournalError, JournalWriteError
from keepsight.hub.service import StreamService
from keepsight.hub.standing.alert_view import alert_view
from keepsight.hub.states import state_of
from keepsight.journal import StreamRecord
from keepsight.server.http.events.stream_events import RECONNECT_MILLISECONDS, event_text
from keepsight.server.http.views.streams import stream_view

_ALERTS_AT_ONCE = 100


async def all_events(
    service: StreamService, last_alert_id: int | None, *, follow: bool, heartbeat_seconds: float
) -> AsyncGenerator[str, None]:
    """Yield events of all streams until the server stops.

    Args:
        service: the hub.
        last_alert_id: last alert that the client received; None for only new alerts.
        follow: keep sending new events.
        heartbeat_seconds: maximum silence.
    """
    table, states = service.journal.alerts, _StateNews(service)
    alert_id = await run_in_threadpool(table.newest_id) if last_alert_id is None else last_alert_id
    # Also send an id at once, so a client that disconnects before any event can resume.
    yield f"retry: {RECONNECT_MILLISECONDS}\n{event_text('since', {'alert_id': alert_id}, alert_id)}"
    while not service.is_closing:
        num_notified = service.signals.any.num_notified
        for text in await run_in_threadpool(states.news, alert_id):
            yield text
        while alerts := await run_in_threadpool(table.after, alert_id, _ALERTS_AT_ONCE):
            for alert in alerts:
                alert_id = alert.id
                yield event_text("alert", alert_view(alert), alert_id)
        if not follow:
            return
        if not await service.signals.any.wait(num_notified, heartbeat_seconds):
            yield ": still here\n\n"


class _StateNews:
    """Last state of each stream that a client was sent."""

    def __init__(self, service: StreamService) -> None:
        self._service = service
        self._states: dict[str, str] = {}

    def news(self, event_id: int) -> list[str]:
        """Events for streams that changed state or were removed."""
        streams = {stream.id: stream for stream in self._service.journal.streams.all()}
        texts = [event_text("removed", {"id": gone}, event_id) for gone in self._states.keys() - streams.keys()]
        states = {stream.id: self._state(stream) for stream in streams.values()}
        for stream_id in [stream_id for stream_id, state in states.items() if self._states.get(stream_id) != state]:
            try:
                view = stream_view(self._service, streams[stream_id])
            except JournalWriteError:  # another program holds the journal's lock
                raise
            except JournalError:  # removed meanwhile
                del states[stream_id]
            else:
                texts.append(event_text("state", view, event_id))
        self._states = states
        return texts

    def _state(self, stream: StreamRecord) -> str:
        run = self._service.runs.of(stream.id)
        reason = "" if run is None else run.reason
        state = run.state if run is not None and run.is_alive else state_of(stream, reason)
        return f"{state} {reason}"
