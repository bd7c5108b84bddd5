"""What the server is: its version, and the model that sees for it."""

from importlib.metadata import version

from fastapi import APIRouter
from pydantic import BaseModel, Field

from keepsight.models.registry import BUNDLED
from keepsight.server.routes.context import Service

router = APIRouter(prefix="/v1/about", tags=["page"])


class ModelView(BaseModel):
    """The model that describes and answers."""

    name: str = Field(examples=["tiny"])
    architecture: str
    num_parameters: int
    device: str
    knows_toy_world_only: bool = Field(description="It is a bundled one: of other videos it says what is not so.")


class AboutView(BaseModel):
    """What the page needs to know before there is a stream."""

    version: str
    model: ModelView


@router.get("")
def about(service: Service) -> AboutView:
    """Version and model."""
    info = service.model.info
    return AboutView(
        version=version("keepsight"),
        model=ModelView(
            name=info.name,
            architecture=info.architecture,
            num_parameters=info.num_parameters,
            device=info.device,
            knows_toy_world_only=info.name in {model.name for model in BUNDLED},
        ),
    )
