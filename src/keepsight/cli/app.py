"""The `keepsight` application: its commands, and its exit codes.

Exit codes: 0 done; 2 invalid input or command; 130 and 143 stopped by Ctrl-C or SIGTERM; 141 stdout's reader closed the
pipe.
"""

import errno
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from typer.exceptions import TyperException

from keepsight.cli.asking import ask
from keepsight.cli.backing_up import backup
from keepsight.cli.bench import bench
from keepsight.cli.interruption import Stopped
from keepsight.cli.listing import models
from keepsight.cli.mcp import mcp
from keepsight.cli.output import ReaderGone, complain
from keepsight.cli.pinning import pin
from keepsight.cli.reporting import report
from keepsight.cli.serving import serve
from keepsight.cli.toyworld import toyworld
from keepsight.cli.watching import watch
from keepsight.errors import KeepsightError

EXIT_BAD_INPUT = 2
EXIT_BROKEN_PIPE = 141
_UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
"""Errors of a write to stdout without space left."""

app = typer.Typer(
    help="Watch video for hours and ask about it, on your own machine.",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(watch)
app.command()(ask)
app.command()(report)
app.command()(pin)
app.command()(backup)
app.command()(serve)
app.command()(mcp)
app.command()(models)
app.add_typer(toyworld, name="toyworld")
app.add_typer(bench, name="bench")


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"keepsight {version('keepsight')}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; any problem with the input is one line on stderr."""
    try:
        code = app(args=None if arguments is None else list(arguments), prog_name="keepsight", standalone_mode=False)
        sys.stdout.flush()
    except KeepsightError as error:
        complain(str(error))
        return EXIT_BAD_INPUT
    except TyperException as error:
        message = error.format_message().rstrip(".")  # Typer ends a suggestion with "?."
        complain(f"{message}{'' if message.endswith('?') else '.'} See keepsight --help.")
        return EXIT_BAD_INPUT
    except (ReaderGone, BrokenPipeError):
        _forget_stdout()
        return EXIT_BROKEN_PIPE
    except OSError as error:
        if error.filename is not None or error.errno not in _UNWRITABLE:
            raise
        _forget_stdout()
        complain(f"cannot write the output: {error.strerror}")
        return EXIT_BAD_INPUT
    except Stopped as stopped:
        complain(str(stopped))
        return stopped.exit_code
    return code if isinstance(code, int) else 0


def _forget_stdout() -> None:
    """Redirect stdout to /dev/null, so that the interpreter's final flush does not fail again (Python documentation,
    signal).
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
