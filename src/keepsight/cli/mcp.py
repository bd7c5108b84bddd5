"""`keepsight mcp`: a journal's tools for an agent, over stdin and stdout."""

import signal
from typing import Annotated

import typer

from keepsight.cli.options import DeviceOption, DtypeOption, JournalArgument, load_model_or_say


def mcp(
    journal: JournalArgument,
    model: Annotated[
        str | None, typer.Option(help="Another model than the one that watched: a name, folder or hub id.")
    ] = None,
    device: DeviceOption = None,
    dtype: DtypeOption = None,
) -> None:
    """Let an agent ask about a journal by the Model Context Protocol, over stdin and stdout.

    The journal is only read, and watching may still go on in another process. The model is loaded for the first
    question.
    """
    from keepsight.journal import Journal
    from keepsight.server.mcp.kept import KeptStreams
    from keepsight.server.mcp.stdio import serve_stdio

    # Nothing is written, so there is nothing to finish; a thread that reads stdin would keep an orderly end waiting.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    with Journal.open(journal, read_only=True) as opened:
        serve_stdio(KeptStreams(opened, lambda name: load_model_or_say(name, device, dtype), model))
