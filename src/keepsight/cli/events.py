"""Output of source events: a line on a console, or a JSON line."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from keepsight.cli.output import caption_text, clock_text, complain, emit, emit_clip, printable, span_text
from keepsight.spans import frames_note

if TYPE_CHECKING:
    from keepsight.engine.stream_pipeline import Moment
    from keepsight.engine.watch_together import SourceEvent, WatchTogether
    from keepsight.engine.watched_source import SourceNote
    from keepsight.journal import StreamRecord
    from keepsight.sources.supervision import StateChange


class EventOutput:
    """Prints events.

    Args:
        names: names of the sources, without credentials.
    """

    def __init__(self, names: Sequence[str], watch: "WatchTogether", console: Console | None) -> None:
        self._names = names
        self._watch = watch
        self._console = console

    def __call__(self, happened: "SourceEvent") -> None:
        """Print one event."""
        from keepsight.engine.stream_pipeline import Moment
        from keepsight.engine.watch_together import Failure
        from keepsight.engine.watched_source import SourceNote

        event = happened.event
        if isinstance(event, Failure):
            complain(str(event.error))
            return
        if isinstance(event, SourceNote):
            self._show_note(happened.source, event)
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
                wall = {"started_at": stream.wall_time(moment.span.start_seconds).isoformat()}
            emit_clip(moment, **self._named(source), **wall)
            return
        line = Text.assemble(*self._prefix(source), caption_text(span_text(stream, moment.span), moment.caption))
        if note := frames_note(moment.num_frames, moment.num_frames_expected, moment.num_frames_dropped):
            line.append(f"  ({note})", style="dim")
        self._console.print(line)

    def _show_note(self, source: int, note: "SourceNote") -> None:
        from keepsight.engine.watched_source import NoteKind

        if self._console is None:
            emit("note", source=self._names[source], kind=note.kind.value, text=note.text)
            return
        hint = "; --video-stream chooses another" if note.kind is NoteKind.VIDEO_STREAM else ""
        self._console.print(Text(f"{printable(note.text)}{hint}", "yellow"))

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
