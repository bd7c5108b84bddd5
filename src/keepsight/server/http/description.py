"""The OpenAPI description, including middleware errors and the token scope of each route."""

from typing import Any

from fastapi import FastAPI

from keepsight.server.http.access.scopes import ScopeTable
from keepsight.server.http.views.refusals import ErrorView

_ERROR = {"application/json": {"schema": {"$ref": f"#/components/schemas/{ErrorView.__name__}"}}}
_ALWAYS = {"421": "Host name not allowed."}
_WITH_TOKENS = {"401": "Token required.", "403": "Token scope too small, or request from another site's page."}
_WITH_BODY = {"400": "Invalid request body.", "408": "Request body timed out.", "413": "Request body too large."}


class DescribedApp(FastAPI):
    """FastAPI application whose description includes middleware errors and token scopes."""

    def openapi(self) -> dict[str, Any]:
        """Build the description once."""
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
    """Add errors that middleware returns. Every error is JSON, whatever a route returns on success."""
    responses = operation["responses"]
    common = _ALWAYS | (_WITH_TOKENS if needs_token else {}) | (_WITH_BODY if "requestBody" in operation else {})
    for status, text in common.items():
        responses.setdefault(status, {"description": text})
    for status, response in responses.items():
        if status >= "4" and not (status == "503" and "application/json" in response.get("content", {})):
            response["content"] = _ERROR
        elif "text/event-stream" in response.get("content", {}):
            response["content"]["text/event-stream"] = {}  # an event stream as a whole is neither JSON nor plain text
