"""`keepsight pin`: exempts clips from quotas."""

from typing import Annotated

import typer

from keepsight.cli.asking import find_stream
from keepsight.cli.options import JournalArgument, JsonOption, SourceOption
from keepsight.cli.output import caption_text, emit, make_console, span_text, span_values, wants_json
from keepsight.cli.times import stream_seconds
from keepsight.errors import EmptyJournalError, SettingError


def pin(
    journal: JournalArgument,
    start: Annotated[
        str, typer.Argument(metavar="FROM", help="75, 1:15 or 0:01:15 since the start; 12:03 for a live stream.")
    ],
    end: Annotated[
        str | None, typer.Argument(metavar="TO", help="End of the range; default: the clip at FROM.")
    ] = None,
    source: SourceOption = None,
    unpin: Annotated[bool, typer.Option("--unpin", help="Unpin: quotas may remove these clips again.")] = False,
    json: JsonOption = None,
) -> None:
    """Exempt clips in a time range from the journal's quotas."""
    from keepsight.journal import Journal

    with Journal.open(journal) as opened:
        stream = find_stream(opened, source)
        if stream is None:
            raise EmptyJournalError(f"nothing has been captioned yet in {journal}")
        first = stream_seconds(stream, start)
        last = first if end is None else stream_seconds(stream, end)
        if last < first:
            raise SettingError(f"TO must not be before FROM, got {start} to {end}")
        found = [
            record
            for record in opened.clips.captions(stream.id)
            if record.span.start_seconds <= last and record.span.end_seconds > first
        ]
        if not found:
            raise SettingError(
                f"no clip at that time; the journal has {opened.clips.count(stream.id)} clips of the stream"
            )
        console = None if wants_json(json) else make_console()
        for record in found:
            opened.clips.pin(stream.id, record.clip_index, pinned=not unpin)
            if console is None:
                emit("pin", clip_index=record.clip_index, pinned=not unpin, **span_values(record.span))
            else:
                console.print(caption_text(span_text(stream, record.span), record.caption))
