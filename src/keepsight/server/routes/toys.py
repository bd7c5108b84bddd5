"""A toy video, made and watched at one request: something to see before there is any video at hand."""

import secrets
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from keepsight.server.access.limits import Slots
from keepsight.server.routes.context import Served, Service, from_app, refusals
from keepsight.server.toys import toy_video
from keepsight.server.views.requests import Asked
from keepsight.server.views.streams import StreamView, stream_view
from keepsight.toyworld.files import ToyVideoSettings

router = APIRouter(prefix="/v1/toy", tags=["streams"])

_NUM_SEEDS = 1_000_000


Toys = Annotated[Slots, from_app("toys")]


class NewToy(Asked):
    """Which toy video to make."""

    minutes: Annotated[float, Field(gt=0, le=60, allow_inf_nan=False, description="Length.", examples=[10])] = 10
    seed: Annotated[int | None, Field(ge=0, lt=_NUM_SEEDS, description="The story; null for any.")] = None


@router.post("", status_code=HTTPStatus.CREATED, responses=refusals(403, 409, 422, 429, 507))
def make(asked: NewToy, service: Service, settings: Served, toys: Toys) -> StreamView:
    """Make a video of the toy world, which the bundled model knows, and watch it.

    Making ten minutes of it takes some seconds.
    """
    seed = secrets.randbelow(_NUM_SEEDS) if asked.seed is None else asked.seed
    with toys.taken():
        path = toy_video(settings.roots, ToyVideoSettings(seed=seed, minutes=asked.minutes))
    return stream_view(service, service.begin(str(path)))
