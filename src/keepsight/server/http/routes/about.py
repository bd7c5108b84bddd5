"""Version and model of the server."""

from importlib.metadata import version

from fastapi import APIRouter
from pydantic import BaseModel, Field

from keepsight.models.registry import BUNDLED
from keepsight.server.http.routes.context import Service

router = APIRouter(prefix="/v1/about", tags=["page"])


class ModelView(BaseModel):
    """Model that describes, and answers unless another does."""

    name: str = Field(examples=["tiny"])
    architecture: str
    num_parameters: int
    device: str
    knows_toy_world_only: bool = Field(
        description="Whether it is a bundled toy model, whose captions of any other video are wrong."
    )


class AuthorView(BaseModel):
    """Model that answers questions."""

    model: str = Field(examples=["qwen3"])
    url: str | None = Field(
        description="Server that runs it; null for the model that describes.", examples=["http://localhost:11434/v1"]
    )


class AboutView(BaseModel):
    """What the page needs before there is a stream."""

    version: str
    model: ModelView
    answers: AuthorView


@router.get("")
def about(service: Service) -> AboutView:
    """Show version and model, and which model answers."""
    info, author = service.model.info, service.answering.info.author
    return AboutView(
        version=version("keepsight"),
        model=ModelView(
            name=info.name,
            architecture=info.architecture,
            num_parameters=info.num_parameters,
            device=info.device,
            knows_toy_world_only=info.name in {model.name for model in BUNDLED},
        ),
        answers=AuthorView(model=author.model, url=author.url),
    )
