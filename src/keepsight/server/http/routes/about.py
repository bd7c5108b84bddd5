"""Version and model of the server."""

from importlib.metadata import version

from fastapi import APIRouter
from pydantic import BaseModel, Field

from keepsight.models.registry import BUNDLED
from keepsight.server.http.routes.context import Service

router = APIRouter(prefix="/v1/about", tags=["page"])


class ModelView(BaseModel):
    """Model that describes and answers."""

    name: str = Field(examples=["tiny"])
    architecture: str
    num_parameters: int
    device: str
    knows_toy_world_only: bool = Field(
        description="Whether it is a bundled toy model, whose captions of any other video are wrong."
    )


class AboutView(BaseModel):
    """What the page needs before there is a stream."""

    version: str
    model: ModelView


@router.get("")
def about(service: Service) -> AboutView:
    """Show version and model."""
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
