"""Error responses as JSON."""

from pydantic import BaseModel


class Refusal(BaseModel):
    """Error content."""

    message: str


class ErrorView(BaseModel):
    """Every error response."""

    error: Refusal
