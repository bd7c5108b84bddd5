"""Replies as OpenAI's client reads them."""

from typing import Any

from pydantic import BaseModel


def grounds_of(reply: BaseModel) -> Any:
    """What the server adds to what OpenAI declares."""
    assert reply.model_extra is not None
    return reply.model_extra["keepsight"]
