"""Metrics for Prometheus."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from keepsight.server.metrics import CONTENT_TYPE, Metrics
from keepsight.server.routes.context import refusals

router = APIRouter(tags=["health"])


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **refusals(503)},
)
def metrics(request: Request) -> Response:
    """What the server did and how it is, in Prometheus's text format."""
    counted: Metrics = request.app.state.metrics
    return Response(counted.text(), media_type=CONTENT_TYPE)
