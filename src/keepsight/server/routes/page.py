"""The page: one document and its assets, all from the package."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from keepsight.server.page_files import built_page
from keepsight.server.routes.context import refusals

router = APIRouter(tags=["page"])

_FOR_EVER = "public, max-age=31536000, immutable"


@router.head("/", include_in_schema=False)
@router.get("/", response_class=Response, responses={200: {"content": {"text/html": {}}}})
def index() -> Response:
    """The page for a browser. Where it is served it may be asked for again, so that a new version is seen at once."""
    page = built_page().index
    return Response(page.content, media_type=page.media_type, headers={"Cache-Control": "no-cache"})


@router.get(
    "/assets/{name}",
    response_class=Response,
    responses={200: {"content": {"text/javascript": {}, "text/css": {}, "image/svg+xml": {}}}, **refusals(404)},
)
def asset(name: Annotated[str, Path(examples=["index.js"])]) -> Response:
    """A part of the page. Its name changes with its content, so a browser may keep it for ever."""
    found = built_page().assets.get(name)
    if found is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, "the page has no such part")
    return Response(found.content, media_type=found.media_type, headers={"Cache-Control": _FOR_EVER})
