"""What every answer that is no success looks like."""

from pydantic import BaseModel


class Refusal(BaseModel):
    """What is wrong."""

    message: str


class ErrorView(BaseModel):
    """What every answer that is no success looks like."""

    error: Refusal
