"""`keepsight backup`: a consistent copy of a journal, even in use."""

from pathlib import Path
from typing import Annotated

import typer

from keepsight.cli.options import JournalArgument, JsonOption
from keepsight.cli.output import complain, emit, make_console, wants_json


def backup(
    journal: JournalArgument,
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="File to write the copy to.")],
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
    json: JsonOption = None,
) -> None:
    """Copy a journal, even in use, and verify the copy."""
    from keepsight.errors import JournalNotFoundError
    from keepsight.journal import copy_journal

    if not journal.exists():
        raise JournalNotFoundError(f"no journal at {journal}")
    copied = copy_journal(journal, target, overwrite=force)
    if copied.was_in_use:
        complain(f"{journal} was copied while in use: its newest entries may be missing")
    if wants_json(json):
        emit(
            "backup",
            path=str(copied.path),
            num_bytes=copied.num_bytes,
            num_streams=copied.num_streams,
            num_clips=copied.num_clips,
        )
        return
    clips = f"{copied.num_clips} clip{'s' if copied.num_clips != 1 else ''}"
    line = f"{clips} of {copied.num_streams} streams in {copied.path} ({copied.num_bytes / 1e6:.1f} MB), checked"
    make_console().print(line, markup=False)
