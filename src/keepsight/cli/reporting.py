"""`keepsight report`: captions, kept tokens and answers as one HTML file."""

from pathlib import Path
from typing import Annotated

import typer

from keepsight.cli.asking import find_stream
from keepsight.cli.options import JournalArgument, JsonOption, SourceOption, checked_path
from keepsight.cli.output import emit, make_console, wants_json
from keepsight.errors import SettingError


def report(
    journal: JournalArgument,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="HTML file to write; default: beside the journal.", callback=checked_path),
    ] = None,
    source: SourceOption = None,
    json: JsonOption = None,
) -> None:
    """Write an HTML report: timeline, captions, kept patches, questions."""
    path = out or journal.with_suffix(".html")
    if path.exists() and journal.exists() and path.samefile(journal):
        raise SettingError(f"the report must not replace the journal {journal}: give another name with -o")
    from keepsight.incoming import one_line
    from keepsight.journal import Journal
    from keepsight.report import write_report

    with Journal.open(journal, read_only=True) as opened:
        written = write_report(opened, path, find_stream(opened, source))
    if wants_json(json):
        emit("report", path=str(written.path), num_bytes=written.num_bytes, num_clips=written.num_clips)
        return
    clips = f"{written.num_clips} clip{'s' if written.num_clips != 1 else ''}"
    line = f"{clips} in {one_line(written.path)} ({written.num_bytes / 1e6:.1f} MB)"
    make_console().print(line, markup=False)
