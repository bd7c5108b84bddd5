"""What is asked in the body of a request."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

Seconds = Annotated[float, Field(allow_inf_nan=False, ge=0)]


class Asked(BaseModel):
    """A request; a field that nobody knows is a mistake."""

    model_config = ConfigDict(extra="forbid")


class NewStream(Asked):
    """What to watch: a source, or an upload that is whole."""

    source: str | None = Field(
        None,
        min_length=1,
        max_length=8192,
        description="The path of a file or a folder of pictures, the address of a server or a camera, or `push:NAME`.",
        examples=["/videos/kitchen.mp4", "rtsp://camera.example/stream", "push:door"],
    )
    upload_id: str | None = Field(None, min_length=1, max_length=64, description="In place of a source.")
    sample_fps: float | None = Field(None, ge=0.001, le=1000, description="Frames taken from each second of video.")
    restart: bool = Field(False, description="From the beginning as a new stream, whatever the journal has.")

    @model_validator(mode="after")
    def _is_of_one(self) -> "NewStream":
        if (self.source is None) == (self.upload_id is None):
            raise ValueError("give either a source or an upload_id")
        return self


class NewQuestion(Asked):
    """What to answer."""

    stream_id: str = Field(max_length=64, examples=["3f9c2b7a1d0e4c55"])
    question: str = Field(min_length=1, max_length=4000, examples=["Where did the dog go?"])
    at_seconds: Seconds | None = Field(None, description="Use only what had ended by this time of the stream.")
    live: bool = Field(False, description="Also show the model the frames that have no caption yet.")
    stream: bool = Field(False, description="Answer in server-sent events, as the model writes.")
