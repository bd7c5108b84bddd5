"""Makes and watches a toy video on request, so there is something to see without any video at hand."""

import secrets
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from keepsight.hub.limiter import Limiter
from keepsight.hub.toys import toy_video
from keepsight.server.http.routes.context import Served, Service, from_app, refusals
from keepsight.server.http.views.requests import Asked
from keepsight.server.http.views.streams import StreamView, stream_view
from keepsight.toyworld.files import ToyVideoSettings

router = APIRouter(prefix="/v1/toy", tags=["streams"])

_NUM_SEEDS = 1_000_000


Toys = Annotated[Limiter, from_app("toys")]


class NewToy(Asked):
    """Toy video to make."""

    minutes: Annotated[float, Field(gt=0, le=60, allow_inf_nan=False, description="Length.", examples=[10])] = 10
    seed: Annotated[int | None, Field(ge=0, lt=_NUM_SEEDS, description="Seed of the story; null for a random one.")] = (
        None
    )


@router.post("", status_code=HTTPStatus.CREATED, responses=refusals(403, 409, 422, 429, 507))
def make(asked: NewToy, service: Service, settings: Served, toys: Toys) -> StreamView:
    """Make a video of the toy world, which the bundled model knows, and watch it.

    Ten minutes of video take some seconds to make.
    """
    seed = secrets.randbelow(_NUM_SEEDS) if asked.seed is None else asked.seed
    with toys.taken():
        path = toy_video(settings.roots, ToyVideoSettings(seed=seed, minutes=asked.minutes))
    return stream_view(service, service.begin(str(path)))
