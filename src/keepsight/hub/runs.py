"""Last run of each stream in this server."""

from keepsight.errors import BusyError, ConflictError
from keepsight.hub.run import StreamRun
from keepsight.journal import StreamRecord
from keepsight.video import Frame

MOST_ENDED = 200
"""Number of cleanly ended runs to remember; older ones are shown from the journal."""


class StreamRuns:
    """Last run of each stream, by stream id. Thread-safe.

    Args:
        max_streams: limit of active streams.
    """

    def __init__(self, max_streams: int) -> None:
        self._max_streams = max_streams
        self._runs: dict[str, StreamRun] = {}

    def of(self, stream_id: str) -> StreamRun | None:
        """Run of a stream, or None."""
        return self._runs.get(stream_id)

    def all(self) -> list[StreamRun]:
        """Last run of every stream."""
        return list(self._runs.values())

    def alive(self) -> list[StreamRun]:
        """Active runs."""
        return [run for run in self.all() if run.is_alive]

    def pending_frames(self, stream_id: str) -> tuple[Frame, ...]:
        """Frames of a stream without a caption yet."""
        run = self.of(stream_id)
        return () if run is None else run.pending_frames

    def check_room(self, source: str) -> None:
        """Check that a source can be watched now.

        Raises:
            ConflictError: it is already being watched.
            BusyError: the stream limit is reached.
        """
        running = self.alive()
        for run in running:
            if run.stream.source == source:
                raise ConflictError(f"the source is already being watched, as stream {run.stream.id}")
        if len(running) >= self._max_streams:
            raise BusyError(f"stream limit reached ({self._max_streams}); pause one first")

    def check_is_free(self, stream: StreamRecord) -> None:
        """Check that a stream is not active, perhaps under another name of its source.

        Raises:
            ConflictError: see the message.
        """
        run = self.of(stream.id)
        if run is not None and run.is_alive:
            raise ConflictError(f"the source is already being watched, as stream {stream.id}")

    def start(self, run: StreamRun) -> None:
        """Start a run, replacing the stream's last one."""
        self._runs.pop(run.stream.id, None)
        self._runs[run.stream.id] = run
        run.start()
        ended = [one.stream.id for one in self.all() if not one.is_alive and not one.reason]
        for stream_id in ended[: max(0, len(ended) - MOST_ENDED)]:
            self.forget(stream_id)

    def forget(self, stream_id: str) -> None:
        """Drop the run of a removed stream."""
        self._runs.pop(stream_id, None)
