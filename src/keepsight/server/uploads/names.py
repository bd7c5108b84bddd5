"""How uploads are called: by the journal, by their clients, and on disk."""

import re
from pathlib import Path, PurePosixPath

UPLOAD_SCHEME = "upload:"
"""How the name of a source begins that was uploaded: `upload:ID/FILENAME`."""

_LONGEST_NAME = 200


def upload_folder(journal: Path) -> Path:
    """Where the uploads of a journal lie."""
    return journal.with_name(f"{journal.name}.uploads")


def upload_id_of(source: str) -> str:
    """The id in a source's name `upload:ID/FILENAME`; empty where it is no upload's."""
    return source.removeprefix(UPLOAD_SCHEME).partition("/")[0] if source.startswith(UPLOAD_SCHEME) else ""


def shown_source(source: str) -> str:
    """What users see for a source's name: of an upload, what the client calls the file."""
    return source.partition("/")[2] if source.startswith(UPLOAD_SCHEME) else source


def harmless_name(filename: str) -> str:
    """The last part of a client's path, of printable signs, not too long."""
    last = re.split(r"[/\\]", filename)[-1]
    printable = "".join(sign if sign.isprintable() else " " for sign in last).strip()
    if len(printable) > _LONGEST_NAME:
        suffix = PurePosixPath(printable).suffix[:16]
        printable = printable[: _LONGEST_NAME - len(suffix)] + suffix
    return printable or "upload"
