"""Where settings come from: flags win over the environment, that over a file, that over the defaults.

The names are the same everywhere: the setting `max_days` is `max_days = 8` in a TOML file, `KEEPSIGHT_MAX_DAYS` in the
environment, and `--max-days` where there is a flag. They are taken from the dataclasses that check them, so that a
field added there can be set from everywhere. A variable `KEEPSIGHT_...` that is no setting is passed over: other
programs, and Kubernetes for a service of that name, have such, too.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

from pydantic import ValidationError, ValidationInfo, create_model, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from keepsight.errors import SettingError
from keepsight.server.access.tokens import ScopedToken, parse_tokens
from keepsight.server.settings import ServerSettings

PREFIX = "KEEPSIGHT_"
"""Of variables in the environment."""

_STANDARD: Mapping[str, object] = {"journal": Path("keepsight.db"), "roots": (Path(),)}


@dataclass(frozen=True)
class WorkSettings:
    """What `keepsight serve` works with, beside what `ServerSettings` says of its face to the outside.

    Attributes:
        model: a bundled name, a folder, or a Hugging Face id.
        device, dtype, quantization: see `load_model`; chosen for the machine if None.
        sample_fps: frames taken from each second of video; that of `Settings` if None.
        max_gigabytes: most that the journal may hold; no limit if None.
        max_stream_gigabytes: most that it may hold of each stream; no limit if None.
        max_days: clips that are older are removed; none are if None.
        log_format: how the log is written to stderr.
        log_level: of lines below it nothing is written.
        otlp_endpoint: base address of an OpenTelemetry collector that takes traces over HTTP; none are made if None.

    Raises:
        SettingError: a value is outside what is allowed.
    """

    model: str = "tiny"
    device: str | None = None
    dtype: str | None = None
    quantization: str | None = None
    sample_fps: float | None = None
    max_gigabytes: float | None = None
    max_stream_gigabytes: float | None = None
    max_days: float | None = None
    log_format: Literal["text", "json"] = "text"
    log_level: Literal["debug", "info", "warning", "error"] = "warning"
    otlp_endpoint: str | None = None

    def __post_init__(self) -> None:
        if self.otlp_endpoint is not None and not _is_plain_address(self.otlp_endpoint):
            raise SettingError(
                "otlp_endpoint is an address such as http://127.0.0.1:4318, with http or https and a host, and without "
                "user, password, query and fragment; what a collector asks for goes into OTEL_EXPORTER_OTLP_HEADERS"
            )


@dataclass(frozen=True)
class SettledSettings:
    """All settings, and where each is from.

    Attributes:
        server: whom the server answers.
        work: what it works with.
        origins: for each setting that was given: `the command line`, a variable's name, or a file's.
    """

    server: ServerSettings
    work: WorkSettings
    origins: Mapping[str, str] = field(default_factory=dict)

    def naming_origins(self, error: SettingError) -> SettingError:
        """The same error, saying from where the settings are that it names."""
        return _naming_origins(error, self.origins)


def settle(flags: Mapping[str, object], config: Path | None = None) -> SettledSettings:
    """All settings, from everywhere.

    Args:
        flags: what was given on the command line by setting; None stands for what was not.
        config: a TOML file, or None for none.

    Raises:
        SettingError: the file cannot be read, a setting does not exist, or a value is outside what is allowed; the
            message has the setting, where it is from, and what is allowed, and never the value of a secret.
    """
    form = _form()
    sources = (
        ({} if config is None else _read(config, form), str(config)),
        (_Environment(form)(), PREFIX),
        ({name: value for name, value in flags.items() if value is not None}, "the command line"),
    )
    given: dict[str, object] = {}
    origins: dict[str, str] = {}
    for values, origin in sources:
        given |= values
        origins |= {name: PREFIX + name.upper() if origin == PREFIX else origin for name in values}
    try:
        answers = form(**given)
    except ValidationError as error:
        raise SettingError(_first_problem(error, origins)) from None
    try:
        return SettledSettings(_part(ServerSettings, answers), _part(WorkSettings, answers), origins)
    except SettingError as error:
        raise _naming_origins(error, origins) from None


class _Form(BaseSettings):
    """Checks types; what values are allowed is for the dataclasses to say."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True, protected_namespaces=()
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - its name is the library's
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what it is given: `settle` asks the sources itself, to know which value is from where."""
        return (init_settings,)

    @field_validator("*", mode="before")
    @classmethod
    def _as_meant(cls, value: object, info: ValidationInfo) -> object:
        annotation = cls.model_fields[info.field_name or ""].annotation
        if isinstance(value, bool) and bool not in (annotation, *get_args(annotation)):
            raise ValueError("true and false are no value for it")
        if get_origin(annotation) is not tuple:
            return value
        texts = [value] if isinstance(value, str) else value
        return parse_tokens(_texts(texts)) if get_args(annotation)[0] is ScopedToken else texts


def _texts(value: object) -> list[str]:
    """A list of texts as they are, or an error that does not repeat them."""
    if isinstance(value, list | tuple) and all(isinstance(one, str) for one in value):
        return list(value)
    raise ValueError("it is a list of texts, each SCOPE:TOKEN")


class _Environment(EnvSettingsSource):
    """Variables; a list is JSON, or its only value as it stands."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """See `EnvSettingsSource`."""
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return value


def _is_plain_address(text: str) -> bool:
    """Whether a text is an HTTP address that has nothing secret in it and to which a path can be added."""
    try:
        parts = urlsplit(text)
        is_whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return is_whole and text.isprintable() and not any(sign in text for sign in " @?#")


def _form() -> type[_Form]:
    """A form with the fields of the dataclasses."""
    questions: dict[str, Any] = {}
    for part in (ServerSettings, WorkSettings):
        types = get_type_hints(part)
        for one in fields(part):
            default = one.default if one.default_factory is MISSING else one.default_factory()
            questions[one.name] = (types[one.name], _STANDARD.get(one.name, default))
    return create_model("Form", __base__=_Form, **questions)


def _read(path: Path, form: type[_Form]) -> dict[str, object]:
    """The settings of a file."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else error
        raise SettingError(f"{path} is no TOML: {reason}") from None
    for name in values:
        if name not in form.model_fields:
            known = ", ".join(sorted(form.model_fields))
            raise SettingError(f"{path}: there is no setting {name!r}; the settings are {known}")
    return values


def _part(kind: type[Any], form: _Form) -> Any:
    return kind(**{one.name: getattr(form, one.name) for one in fields(kind)})


def _first_problem(error: ValidationError, origins: Mapping[str, str]) -> str:
    problem = error.errors(include_input=False, include_url=False)[0]
    name = str(problem["loc"][0])
    place = ".".join(str(part) for part in problem["loc"])
    message = problem["msg"].removeprefix("Value error, ").replace("Input should be", "it should be")
    return f"{place} ({origins.get(name, 'default')}): {message}"


def _naming_origins(error: SettingError, origins: Mapping[str, str]) -> SettingError:
    words = set(re.findall(r"\w+", str(error).replace("-", "_")))
    named = [f"{name} is from {origin}" for name, origin in origins.items() if {name, f"__{name}"} & words]
    return SettingError(f"{error} ({'; '.join(named)})" if named else str(error))
