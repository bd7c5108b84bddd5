"""The page of all commands with their arguments and options, from the Typer application."""

from collections.abc import Iterator
from enum import Enum
from typing import Any

from typer.main import get_command

from keepsight.cli.app import app
from reference.markdown import code, page, table

_INTRODUCTION = """
Every command takes `--help`. On a terminal it prints text and a progress bar; with `--json`, or into a pipe, one JSON
object a line. Exit codes: 0 done; 2 something is wrong with the input or the command, said in one line on stderr;
130 and 143 stopped by Ctrl-C or SIGTERM; 141 the reader of the output went away.
"""
_PLAIN_PANELS = {"Arguments", "Options"}


def command_line_page() -> str:
    """Each command under a heading of its own, in the order of `keepsight --help`."""
    return page(
        "Command line", "the commands in `src/keepsight/cli/`", [_INTRODUCTION, *_of_group(get_command(app), ())]
    )


def _of_group(group: Any, path: tuple[str, ...]) -> Iterator[str]:
    for name, command in group.commands.items():
        inner = (*path, name)
        if hasattr(command, "commands"):
            yield from _of_group(command, inner)
        else:
            yield f"## keepsight {' '.join(inner)}"
            yield from _of_command(command, inner)


def _of_command(command: Any, path: tuple[str, ...]) -> Iterator[str]:
    context = command.make_context(path[-1], [], resilient_parsing=True)
    usage = " ".join(piece.replace("{", "").replace("}", "") for piece in command.collect_usage_pieces(context))
    yield f"```text\nkeepsight {' '.join(path)} {usage}\n```"
    yield command.help or ""
    shown = [each for each in command.params if not each.hidden]
    arguments = [each for each in shown if each.param_type_name == "argument"]
    if arguments:
        yield table(("argument", "meaning"), [(code(each.name), _meaning(each)) for each in arguments])
    panels: dict[str, list[Any]] = {}
    for option in (each for each in shown if each.param_type_name == "option"):
        panels.setdefault(getattr(option, "rich_help_panel", None) or "Options", []).append(option)
    for panel, options in panels.items():
        if panel not in _PLAIN_PANELS:
            yield f"**{panel}**"
        rows = [(_names(each, context), _default(each), _meaning(each)) for each in options]
        yield table(("option", "default", "meaning"), rows)


def _names(option: Any, context: Any) -> str:
    """The option as `--help` writes it, with what it takes."""
    names, _ = option.get_help_record(context)
    return code(names)


def _default(option: Any) -> str:
    value = option.default
    if value is None or value is False or value == () or callable(value):
        return ""
    if isinstance(value, bool):
        return "on"
    return code(str(value.value if isinstance(value, Enum) else value))


def _meaning(parameter: Any) -> str:
    """The help text; angle brackets would be read as tags."""
    return (parameter.help or "").replace("<", "&lt;").replace(">", "&gt;")
