"""Server-sent events of all streams: their states as they change, and alerts, from wherever a viewer left off.

The id of every event is that of the last alert told, so that none is lost or told twice. States are told as they are
now to whoever comes, and then as they change.
"""

from collections.abc import AsyncGenerator

from fastapi.concurrency import run_in_threadpool

from keepsight.errors import JournalError, JournalWriteError
from keepsight.journal import StreamRecord
from keepsight.server.events.stream_events import RECONNECT_MILLISECONDS, event_text
from keepsight.server.standing.alert_view import alert_view
from keepsight.server.streams.service import StreamService
from keepsight.server.streams.states import state_of
from keepsight.server.views.streams import stream_view

_ALERTS_AT_ONCE = 100


async def all_events(
    service: StreamService, last_alert_id: int | None, *, follow: bool, heartbeat_seconds: float
) -> AsyncGenerator[str, None]:
    """Events of all streams until the server ends.

    Args:
        service: has the streams.
        last_alert_id: of the last alert that the viewer has; None for alerts from now on.
        follow: go on after what there is now.
        heartbeat_seconds: longest silence.
    """
    table, told = service.journal.alerts, _StatesTold(service)
    alert_id = await run_in_threadpool(table.newest_id) if last_alert_id is None else last_alert_id
    # Told to scripts, too, so that whoever hangs up before anything happens can come back with an id.
    yield f"retry: {RECONNECT_MILLISECONDS}\n{event_text('since', {'alert_id': alert_id}, alert_id)}"
    while not service.is_closing:
        num_rings = service.bells.any.num_rings
        for text in await run_in_threadpool(told.news, alert_id):
            yield text
        while alerts := await run_in_threadpool(table.after, alert_id, _ALERTS_AT_ONCE):
            for alert in alerts:
                alert_id = alert.id
                yield event_text("alert", alert_view(alert), alert_id)
        if not follow:
            return
        if not await service.bells.any.wait(num_rings, heartbeat_seconds):
            yield ": still here\n\n"


class _StatesTold:
    """Which state of each stream a viewer was told last."""

    def __init__(self, service: StreamService) -> None:
        self._service = service
        self._states: dict[str, str] = {}

    def news(self, event_id: int) -> list[str]:
        """Events of the streams whose state is another one than was told, and of those that are gone."""
        streams = {stream.id: stream for stream in self._service.journal.streams.all()}
        texts = [event_text("removed", {"id": gone}, event_id) for gone in self._states.keys() - streams.keys()]
        states = {stream.id: self._state(stream) for stream in streams.values()}
        for stream_id in [stream_id for stream_id, state in states.items() if self._states.get(stream_id) != state]:
            try:
                view = stream_view(self._service, streams[stream_id])
            except JournalWriteError:  # another program keeps the journal locked
                raise
            except JournalError:  # it was removed meanwhile
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
