"""The page of all HTTP routes with the scope that each needs, from the server's own OpenAPI description."""

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from keepsight.hub.service import StreamService
from keepsight.models.loading import load_model
from keepsight.server.http.access.scopes import ROUTE_SCOPES, RouteScope
from keepsight.server.http.app import make_app
from keepsight.server.settings import ServerSettings
from reference.markdown import code, page, table

_INTRODUCTION = """
A running server describes each route with its parameters, bodies and examples at `/v1/openapi.json`. Every error is
`{"error": {"message": ...}}`. Where the server has a token, a request needs `Authorization: Bearer TOKEN`, or the
cookie that `/v1/session` gives. A token's scope is `read`, `ask` or `manage`; each may do what the one before may. How
the routes are used: [serving](../serving.md) and [other programs](../openai-and-mcp.md).
"""
_TITLES = {"openai": "OpenAI's clients"}
_METHODS = ("get", "post", "put", "patch", "delete")


def http_routes_page() -> str:
    """Routes by resource, then those that are not part of the OpenAPI description."""
    described = _description()
    check_scopes(described["paths"])
    parts = [_INTRODUCTION]
    by_tag: dict[str, list[tuple[str, str, Mapping[str, Any]]]] = {}
    for path, methods in described["paths"].items():
        for method in (each for each in _METHODS if each in methods):
            operation = methods[method]
            by_tag.setdefault((operation.get("tags") or ["other"])[0], []).append((method, path, operation))
    for tag, operations in by_tag.items():
        parts += [
            f"## {_TITLES.get(tag, tag.replace('-', ' ').capitalize())}",
            table(("route", "scope", "does"), map(_row, operations)),
        ]
        parts += [f"Parameters of the query:\n\n{rows}" for rows in _parameters(operations)]
    others = [each for each in ROUTE_SCOPES if not each.path.endswith("*") and each.path not in described["paths"]]
    parts += ["## Beside the API", table(("path", "reading (GET)", "everything else"), map(_scope_row, others))]
    return page("HTTP routes", "the routes in `src/keepsight/server/http/`", parts)


def check_scopes(paths: Iterable[str], scopes: Sequence[RouteScope] = ROUTE_SCOPES) -> None:
    """Check that each path has a line in the table of scopes; the server would silently ask for the largest.

    Raises:
        SystemExit: one has none.
    """
    for path in paths:
        if not any(route.pattern().fullmatch(path) for route in scopes):
            raise SystemExit(
                f"{path} must have a line in ROUTE_SCOPES, got none: add it in "
                "src/keepsight/server/http/access/scopes.py"
            )


def _description() -> Mapping[str, Any]:
    """What `/v1/openapi.json` says."""
    with tempfile.TemporaryDirectory() as folder:
        settings = ServerSettings(Path(folder) / "journal.db", roots=(Path(folder),))
        with StreamService(load_model("tiny"), settings) as service:
            return make_app(service, settings).openapi()


def _row(described: tuple[str, str, Mapping[str, Any]]) -> tuple[str, str, str]:
    method, path, operation = described
    text = str(operation.get("description") or operation.get("summary") or "").partition("\n\n")[0]
    return code(f"{method.upper()} {path}"), str(operation["x-scope"] or "open"), text


def _parameters(operations: list[tuple[str, str, Mapping[str, Any]]]) -> Iterator[str]:
    rows = []
    for method, path, operation in operations:
        for each in operation.get("parameters", ()):
            if each["in"] == "query":
                schema = each.get("schema", {})
                default = schema.get("default")
                rows.append(
                    (
                        code(each["name"]),
                        code(f"{method.upper()} {path}"),
                        "required" if each.get("required") else code("" if default is None else str(default)),
                        str(each.get("description") or schema.get("description") or ""),
                    )
                )
    if rows:
        yield table(("parameter", "of", "default", "meaning"), rows)


def _scope_row(route: RouteScope) -> tuple[str, str, str]:
    read, write = (each.label if each else "open" for each in (route.read, route.write))
    return code(route.path), read, write
