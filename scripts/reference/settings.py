"""The page of all settings, from the dataclasses whose fields describe themselves."""

from collections.abc import Iterator

from keepsight.cli.settings import ASK, SERVE, WATCH
from keepsight.schema import GROUPS, PartName, Spec, specs_of
from keepsight.settings import Settings
from reference.markdown import code, page, table

_INTRODUCTION = """
A setting has one name everywhere. `sample_fps` is `--sample-fps` on the command line, `KEEPSIGHT_SAMPLE_FPS` in the
environment, `sample_fps = 0.5` in a TOML file (`--config`), `sample_fps` in the body of `POST /v1/streams` and in
`keepsight.Settings`. Flags win over the environment, the environment over the file, the file over the defaults;
`--print-settings` shows which won. `none` is no limit, or leaves the choice to Keepsight. A list in a variable is JSON,
or its only value as it stands. A variable that names no setting is ignored, since other programs have theirs; if it is
close to one that does, a line on stderr says so. A key of a file or of a request that names none is refused.

`keepsight watch` and `keepsight serve` read the same file; `watch` leaves out what is for the server alone, and `ask`
and `mcp` all but who answers. A stream keeps the settings it was begun with; what a request gives holds for that
stream. A source that is watched with other settings than before, except those that only affect answers, gets a new
stream, and a line says so.
"""


def settings_page() -> str:
    """A table for each group."""
    return page("Settings", "the dataclasses in `keepsight.cli.settings.SERVE`", [_INTRODUCTION, *_groups()])


def _groups() -> Iterator[str]:
    for group in GROUPS:
        yield f"## {group.capitalize()}"
        rows = [_row(spec) for spec in specs_of(*SERVE) if spec.group == group]
        yield table(("setting", "flag", "default", "allowed", "meaning", "where"), rows)


def _row(spec: Spec) -> tuple[str, ...]:
    return code(spec.name), code(spec.flag), _default(spec), _allowed(spec), spec.help, _where(spec)


def _allowed(spec: Spec) -> str:
    """Without plug-ins, which are not the same everywhere."""
    if isinstance(spec.kind, PartName):
        return f"one of {', '.join(spec.kind.names)}, or a plug-in"
    if spec.request_kind is not spec.kind:
        return f"{spec.kind.wanted}; in a request {spec.request_kind.wanted}"
    return spec.kind.wanted


def _default(spec: Spec) -> str:
    text = spec.default_text
    return text if spec.default in (None, ()) else code(text)


def _where(spec: Spec) -> str:
    readers = (("watch", WATCH), ("serve", SERVE), ("ask", ASK), ("mcp", ASK))
    commands = [name for name, owners in readers if spec.name in _names(*owners)]
    return ", ".join([*commands, *(["requests"] if spec.name in _names(Settings) else [])])


def _names(*owners: type) -> set[str]:
    return {spec.name for spec in specs_of(*owners)}
