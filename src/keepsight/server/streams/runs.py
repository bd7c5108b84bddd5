"""How each stream was watched last by this server."""

from keepsight.server.failures import conflict, too_many
from keepsight.server.streams.run import StreamRun
from keepsight.video import Frame

MOST_ENDED = 200
"""Of runs that came to a good end so many are remembered: what a page shows of older ones is in the journal."""


class StreamRuns:
    """The last run of each stream, by the stream's id. All methods may be called from any thread.

    Args:
        max_streams: watched at a time.
    """

    def __init__(self, max_streams: int) -> None:
        self._max_streams = max_streams
        self._runs: dict[str, StreamRun] = {}

    def of(self, stream_id: str) -> StreamRun | None:
        """The run of a stream, if there was one."""
        return self._runs.get(stream_id)

    def all(self) -> list[StreamRun]:
        """One of each stream."""
        return list(self._runs.values())

    def alive(self) -> list[StreamRun]:
        """Those that watch."""
        return [run for run in self.all() if run.is_alive]

    def pending_frames(self, stream_id: str) -> tuple[Frame, ...]:
        """Frames of a stream that have no caption yet."""
        run = self.of(stream_id)
        return () if run is None else run.pending_frames

    def check_room(self, source: str) -> None:
        """Refuse a source where it cannot be watched now.

        Raises:
            HTTPException: 409, it is being watched; 429, too many are.
        """
        running = self.alive()
        for run in running:
            if run.stream.source == source:
                raise conflict(f"the source is being watched already, as stream {run.stream.id}")
        if len(running) >= self._max_streams:
            raise too_many(f"{self._max_streams} streams are being watched, which is the most: pause one of them")

    def start(self, run: StreamRun) -> None:
        """Begin a run, in place of its stream's last one."""
        self._runs.pop(run.stream.id, None)
        self._runs[run.stream.id] = run
        run.start()
        ended = [one.stream.id for one in self.all() if not one.is_alive and not one.reason]
        for stream_id in ended[: max(0, len(ended) - MOST_ENDED)]:
            self.forget(stream_id)

    def forget(self, stream_id: str) -> None:
        """A stream was removed."""
        self._runs.pop(stream_id, None)
