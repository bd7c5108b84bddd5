"""Metrics for Prometheus."""

from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import Response

from keepsight.server.http.routes.context import from_app, refusals
from keepsight.server.telemetry.metrics import CONTENT_TYPE, Metrics

router = APIRouter(tags=["health"])

Counted = Annotated[Metrics, from_app("metrics")]


@router.head("/metrics", include_in_schema=False)
@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **refusals(503)},
)
def metrics(counted: Counted) -> Response:
    """Metrics in Prometheus text format."""
    return Response(counted.text(), media_type=CONTENT_TYPE)
