"""The OpenAPI description, with what stands in front of all routes: refusals, and the token that each route needs."""

from typing import Any

from fastapi import FastAPI

from keepsight.server.access.scopes import ScopeTable
from keepsight.server.views.refusals import ErrorView

_ERROR = {"application/json": {"schema": {"$ref": f"#/components/schemas/{ErrorView.__name__}"}}}
_ALWAYS = {"421": "The server does not go by this name."}
_WITH_TOKENS = {"401": "A token is needed.", "403": "The token is of too small a scope, or another site's page asks."}
_WITH_BODY = {"400": "The body cannot be read.", "408": "The body did not come in time.", "413": "It is too large."}


class DescribedApp(FastAPI):
    """An application whose description has the refusals of the middlewares and the scope that each route needs."""

    def openapi(self) -> dict[str, Any]:
        """See `FastAPI.openapi`; made once."""
        if self.openapi_schema is None:
            whole, scopes = super().openapi(), ScopeTable()
            schemes = whole.setdefault("components", {}).setdefault("securitySchemes", {})
            schemes["token"] = {"type": "http", "scheme": "bearer"}
            for path, methods in whole["paths"].items():
                for method, operation in methods.items():
                    needed = scopes.needed(method.upper(), path)
                    operation["security"] = [] if needed is None else [{"token": []}]
                    operation["x-scope"] = None if needed is None else needed.label
                    _describe_responses(operation, needs_token=needed is not None)
        return self.openapi_schema or {}


def _describe_responses(operation: dict[str, Any], *, needs_token: bool) -> None:
    """Add refusals that routes know nothing of. Each error is JSON, whatever a route's success is."""
    responses = operation["responses"]
    common = _ALWAYS | (_WITH_TOKENS if needs_token else {}) | (_WITH_BODY if "requestBody" in operation else {})
    for status, text in common.items():
        responses.setdefault(status, {"description": text})
    for status, response in responses.items():
        if status >= "4" and not (status == "503" and "application/json" in response.get("content", {})):
            response["content"] = _ERROR
        elif "text/event-stream" in response.get("content", {}):
            response["content"]["text/event-stream"] = {}  # events are no JSON as a whole, and no plain text either
