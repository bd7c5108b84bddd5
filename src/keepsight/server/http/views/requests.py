"""Request bodies."""

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    WithJsonSchema,
    create_model,
    model_validator,
)
from pydantic.config import JsonDict
from pydantic_core import PydanticCustomError

from keepsight.asking.answering import Ask
from keepsight.hub.uploads.upload import UPLOAD_SCHEME
from keepsight.incoming import LONGEST_QUESTION, LONGEST_STANDING_QUESTION, check_json, checked_text
from keepsight.schema import Spec, specs_of
from keepsight.server.http.problems import UNKNOWN_FIELD
from keepsight.settings import Settings
from keepsight.sources.credentials import SourceCredentials
from keepsight.sources.network.urls import Credentials

# Only described: `checked_text` checks it, so that its message is that of all interfaces.
_VISIBLE: JsonDict = {"minLength": 1, "pattern": r"\S"}
_CHECKED_QUESTION = AfterValidator(partial(checked_text, name="the question"))

Question = Annotated[str, Field(max_length=LONGEST_QUESTION, json_schema_extra=_VISIBLE), _CHECKED_QUESTION]
StandingText = Annotated[
    str, Field(max_length=LONGEST_STANDING_QUESTION, json_schema_extra=_VISIBLE), _CHECKED_QUESTION
]
Seconds = Annotated[float, Field(allow_inf_nan=False, ge=0)]


class Received(BaseModel):
    """JSON from a client: all its text must be valid Unicode, unknown fields included."""

    @model_validator(mode="before")
    @classmethod
    def _is_readable(cls, values: Any) -> Any:
        """Find unknown fields before missing ones: a misspelled field is both, and its name tells more."""
        check_json(values)
        if cls.model_config.get("extra") == "forbid" and isinstance(values, dict):
            for name in (one for one in values if one not in cls.model_fields):
                context = {"field": name, "known": tuple(cls.model_fields)}
                raise PydanticCustomError(UNKNOWN_FIELD, "unknown field", context)
        return values


class Asked(Received):
    """A request; unknown fields are errors."""

    model_config = ConfigDict(extra="forbid")


LIVE = "Also show the model the frames without a caption yet; null for the stream's settings."


def _setting_field(spec: Spec) -> tuple[Any, Any]:
    """A setting as a request field; null means not given, unless it is a value of the setting."""
    allowed = spec.request_kind.json_schema()
    schema = allowed if spec.request_kind.accepts(None) else {"anyOf": [allowed, {"type": "null"}]}
    return Annotated[Any, WithJsonSchema(schema)], Field(None, description=spec.help)


if TYPE_CHECKING:

    class WithSettings(Asked):
        """A request with all fields of `Settings`, each optional."""
else:
    WithSettings = create_model(
        "WithSettings", __base__=Asked, **{spec.name: _setting_field(spec) for spec in specs_of(Settings)}
    )


class NewStream(WithSettings):
    """What to watch: a source, or a complete upload; settings given here override the server's."""

    source: str | None = Field(
        None,
        min_length=1,
        max_length=8192,
        description="The path of a file or a folder of pictures, the address of a server or a camera, or `push:NAME`.",
        examples=["/videos/kitchen.mp4", "rtsp://camera.example/stream", "push:door"],
    )
    upload_id: str | None = Field(
        None, min_length=1, max_length=64, description="Id of a finished upload, instead of a source."
    )
    user: str | None = Field(
        None, max_length=256, description="Camera user, given separately from the address and never shown."
    )
    password: SecretStr | None = Field(
        None, max_length=1024, description="Camera password, with `user`. Kept in memory only."
    )
    video_stream: int | None = Field(
        None, ge=0, le=1000, description="Video stream of a file, from 0; default: FFmpeg's choice."
    )
    restart: bool = Field(False, description="Watch from the beginning as a new stream.")

    @model_validator(mode="after")
    def _is_of_one(self) -> "NewStream":
        if (self.source is None) == (self.upload_id is None):
            raise ValueError("give either source or upload_id")
        if self.user is not None and self.password is None:
            raise ValueError("a user needs a password")
        return self

    def settings(self, server: Settings) -> Settings | None:
        """The server's settings with the requested changes; None if there are none.

        Raises:
            SettingError: a value is not allowed in a request.
        """
        kinds = {spec.name: spec.request_kind for spec in specs_of(Settings) if spec.name in self.model_fields_set}
        values = {name: (getattr(self, name), kind) for name, kind in kinds.items()}
        changes = {
            name: kind.read(value, name)
            for name, (value, kind) in values.items()
            if value is not None or kind.accepts(None)
        }
        return replace(server, **changes) if changes else None

    def source_text(self) -> str:
        """Source with its credentials; must never be shown."""
        text = self.source or f"{UPLOAD_SCHEME}{self.upload_id}"
        if self.password is None:
            return text
        own = Credentials(self.user or "", self.password.get_secret_value())
        return SourceCredentials(others=own).attached(text)


class NewQuestion(Asked):
    """Question to answer."""

    stream_id: str = Field(max_length=64, examples=["3f9c2b7a1d0e4c55"])
    question: Question = Field(examples=["Where did the dog go?"])
    at_seconds: Seconds | None = Field(None, description="Use only clips that ended by this time of the stream.")
    live: bool | None = Field(None, description=LIVE)
    stream: bool = Field(False, description="Stream the answer as server-sent events.")
    store: bool = Field(True, description="Store question and answer in the journal.")

    def to_ask(self, *, may_store: bool = True, max_answer_tokens: int | None = None) -> Ask:
        """Question for the hub.

        Args:
            may_store: value of the header `X-Keepsight-Store`.
            max_answer_tokens: token limit of the answer.
        """
        return Ask(
            self.question,
            self.at_seconds,
            live=self.live,
            store=self.store and may_store,
            max_answer_tokens=max_answer_tokens,
        )
