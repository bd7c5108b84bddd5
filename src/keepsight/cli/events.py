"""What happens to sources, as it is shown: a line on a console, or a JSON line."""

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from keepsight.cli.output import caption_text, clock_text, complain, emit, emit_clip, printable, span_text
from keepsight.spans import frames_note

if TYPE_CHECKING:
    from keepsight.cli.one_source import OneSource
    from keepsight.journal import StreamRecord
    from keepsight.service.watch_together import SourceEvent, WatchTogether
    from keepsight.sources.supervision import StateChange
    from keepsight.watching.stream_state import Moment


class EventOutput:
    """Shows events.

    Args:
        names: of the sources, without credentials.
        watch: knows the streams.
        console: None for JSON lines.
    """

    def __init__(self, names: Sequence[str], watch: "OneSource | WatchTogether", console: Console | None) -> None:
        self._names = names
        self._watch = watch
        self._console = console

    def __call__(self, happened: "SourceEvent") -> None:
        """Show one event."""
        from keepsight.service.watch_together import Failure
        from keepsight.watching.stream_state import Moment

        event = happened.event
        if isinstance(event, Failure):
            complain(str(event.error))
            return
        stream = self._watch.watchers[happened.source].stream
        if isinstance(event, Moment):
            self._show_moment(happened.source, stream, event)
        else:
            self._show_state(happened.source, stream, event)

    def _show_moment(self, source: int, stream: "StreamRecord | None", moment: "Moment") -> None:
        if self._console is None:
            wall = {}
            if stream is not None and stream.is_live:
                began = stream.started_at + timedelta(seconds=moment.span.start_seconds)
                wall = {"started_at": began.isoformat()}
            emit_clip(moment, **self._named(source), **wall)
            return
        line = Text.assemble(*self._prefix(source), caption_text(span_text(stream, moment.span), moment.caption))
        if note := frames_note(moment.num_frames, moment.num_frames_expected, moment.num_frames_dropped):
            line.append(f"  ({note})", style="dim")
        self._console.print(line)

    def _show_state(self, source: int, stream: "StreamRecord | None", change: "StateChange") -> None:
        if self._console is None:
            emit(
                "source",
                source=self._names[source],
                state=change.state.value,
                at_seconds=change.at_seconds,
                reason=change.reason,
            )
            return
        words = change.state.value + (f": {printable(change.reason)}" if change.reason else "")
        self._console.print(
            Text.assemble(*self._prefix(source), (f"{clock_text(stream, change.at_seconds)}  {words}", "dim"))
        )

    def _named(self, source: int) -> dict[str, str]:
        return {"source": self._names[source]} if len(self._names) > 1 else {}

    def _prefix(self, source: int) -> list[tuple[str, str]]:
        if len(self._names) == 1:
            return []
        name = self._names[source].rstrip("/").rpartition("/")[2] or self._names[source]
        return [(f"{printable(name)}  ", "magenta")]
