"""`keepsight pin`: clips that a quota never removes."""

from typing import Annotated

import typer

from keepsight.cli.asking import find_stream
from keepsight.cli.options import JournalArgument, JsonOption
from keepsight.cli.output import caption_text, emit, make_console, span_text, span_values, wants_json
from keepsight.cli.times import stream_seconds
from keepsight.errors import EmptyJournalError, SettingError


def pin(
    journal: JournalArgument,
    start: Annotated[
        str, typer.Argument(metavar="FROM", help="75, 1:15 or 0:01:15 since the start; 12:03 for a live stream.")
    ],
    end: Annotated[
        str | None, typer.Argument(metavar="TO", help="Up to here; the clip at FROM when not given.")
    ] = None,
    source: Annotated[str | None, typer.Option(help="Which stream: a part of its source's name.")] = None,
    unpin: Annotated[bool, typer.Option("--unpin", help="Let a quota remove them again.")] = False,
    json: JsonOption = None,
) -> None:
    """Keep the clips of a stretch of time, whatever the quota of the journal says."""
    from keepsight.journal import Journal

    with Journal.open(journal) as opened:
        stream = find_stream(opened, source)
        if stream is None:
            raise EmptyJournalError(f"nothing has been captioned yet in {journal}")
        first = stream_seconds(stream, start)
        last = first if end is None else stream_seconds(stream, end)
        if last < first:
            raise SettingError(f"a stretch runs forward, not from {start} to {end}")
        found = [
            record
            for record in opened.clips.captions(stream.id)
            if record.span.start_seconds <= last and record.span.end_seconds > first
        ]
        if not found:
            raise SettingError(
                f"no clip lies there; the journal has {opened.clips.count(stream.id)} clips of the stream"
            )
        console = None if wants_json(json) else make_console()
        for record in found:
            opened.clips.pin(stream.id, record.clip_index, pinned=not unpin)
            if console is None:
                emit("pin", clip_index=record.clip_index, pinned=not unpin, **span_values(record.span))
            else:
                console.print(caption_text(span_text(stream, record.span), record.caption))
