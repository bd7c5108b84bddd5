"""The page: one document and its assets, from the package."""

from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import Response

from keepsight.errors import NotFoundError
from keepsight.server.http.page_files import built_page
from keepsight.server.http.routes.context import refusals

router = APIRouter(tags=["page"])

_FOR_EVER = "public, max-age=31536000, immutable"


@router.head("/", include_in_schema=False)
@router.get("/", response_class=Response, responses={200: {"content": {"text/html": {}}}})
def index() -> Response:
    """The page. Browsers revalidate it, so a new version appears at once."""
    page = built_page().index
    return Response(page.content, media_type=page.media_type, headers={"Cache-Control": "no-cache"})


@router.get(
    "/assets/{name}",
    response_class=Response,
    responses={200: {"content": {"text/javascript": {}, "text/css": {}, "image/svg+xml": {}}}, **refusals(404)},
)
def asset(name: Annotated[str, Path(examples=["index.js"])]) -> Response:
    """An asset of the page. Its name changes with its content, so browsers may cache it forever."""
    found = built_page().assets.get(name)
    if found is None:
        raise NotFoundError("no such file")
    return Response(found.content, media_type=found.media_type, headers={"Cache-Control": _FOR_EVER})
