"""The model of a journal, which a question needs unless another is asked for."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from keepsight.cli.options import load_answering_or_say, load_model_or_say
from keepsight.cli.output import complain
from keepsight.cli.settings import ModelSettings
from keepsight.errors import SettingError, UnknownModelError
from keepsight.incoming import did_you_mean, one_line
from keepsight.models.load_options import LoadRequest

if TYPE_CHECKING:
    from keepsight.journal import StreamRecord
    from keepsight.method.protocol import AnsweringModel, BatchModel
    from keepsight.schema.sources import LoadedSettings

NO_QUANTIZATION = "none"
"""Word for no quantisation, although the stream was watched with one."""

CHOICES = ("repetition_penalty", "tokens_per_frame")
"""Settings of a model that captions depend on."""

QUANTIZATIONS = ("int8", "int4", NO_QUANTIZATION)


@dataclass(frozen=True)
class ModelChoice:
    """A model and the format that it runs in, as far as the user chose; None for what the journal says.

    Attributes:
        model: bundled name, folder or hub id.
        device: device of the weights; the journal does not say one.
        dtype: number format.
        quantization: `int8`, `int4`, or `none`.

    Raises:
        SettingError: the quantisation is none of these.
    """

    model: str | None = None
    device: str | None = None
    dtype: str | None = None
    quantization: str | None = None

    def __post_init__(self) -> None:
        if self.quantization is not None and self.quantization not in QUANTIZATIONS:
            near = did_you_mean(self.quantization, QUANTIZATIONS)
            raise SettingError(
                f"--quantization must be one of {', '.join(QUANTIZATIONS)}, got {self.quantization!r}{near}"
            )

    @classmethod
    def told(cls, settings: "LoadedSettings") -> "ModelChoice":
        """What flags, environment and file say of the model, without defaults."""
        given = {
            name: settings.values[name] or (NO_QUANTIZATION if name == "quantization" else None)
            for name in ("model", "device", "dtype", "quantization")
            if name in settings.origins
        }
        return cls(**{name: None if value is None else str(value) for name, value in given.items()})


class FoundModel(LoadRequest):
    """A model to load, with what it is loaded with."""

    @classmethod
    def of(cls, settings: ModelSettings) -> "FoundModel":
        """The model of the settings."""
        return cls(
            settings.model,
            settings.device,
            settings.dtype,
            settings.quantization,
            settings.tokens_per_frame,
            settings.repetition_penalty,
            settings.compile,
        )

    def load(self) -> "BatchModel":
        """Load it.

        Raises:
            ModelError, SettingError: as for `load_model`.
        """
        return load_model_or_say(self)

    def load_to_answer(self) -> "AnsweringModel":
        """Load it to answer from captions alone, without settings for frames and passes.

        Raises:
            ModelError, SettingError: as for `load_answering_model`.
        """
        return load_answering_or_say(self)


def model_for(stream: "StreamRecord", chosen: ModelChoice) -> FoundModel:
    """The model that watched a stream, in the format that it ran in; what the user chose comes first.

    Args:
        stream: stream to be asked about.
        chosen: the user's choice.

    Raises:
        UnknownModelError: the journal does not say where the model is, or it is not there.
    """
    from keepsight.models.naming import identity_of, pinned

    known = stream.version
    name = _where(stream) if chosen.model is None else pinned(chosen.model, [stream.checkpoint])
    dtype, quantization = chosen.dtype, chosen.quantization
    choices: dict[str, float] = {}
    if known is not None and stream.has_weights_of(identity_of(name)):
        dtype = dtype or _usable(known.dtype, chosen.device)
        quantization = quantization or known.quantization
        choices = dict(known.choices)
    elif known is not None and chosen.model is None:
        complain(f"{one_line(name)} has other weights now than those that watched the stream; answering with them")
    tokens_per_frame = choices.get("tokens_per_frame")
    return FoundModel(
        name,
        chosen.device,
        dtype,
        None if quantization == NO_QUANTIZATION else quantization,
        None if tokens_per_frame is None else int(tokens_per_frame),
        choices.get("repetition_penalty"),
    )


def pinned_model(journal: Path, name: str) -> str:
    """A hub id with the commit that the journal's newest stream of that model has; any other name as it is."""
    from keepsight.journal import Journal
    from keepsight.models.naming import pinned

    if not journal.is_file():
        return name
    with Journal.open(journal, read_only=True) as opened:
        return pinned(name, [stream.checkpoint for stream in reversed(opened.streams.all())])


def served_model(journal: Path, settings: "LoadedSettings") -> FoundModel:
    """The model of the newest stream in a server's journal, unless another is given; the default for a new journal.

    Raises:
        UnknownModelError: as for `model_for`.
    """
    from keepsight.journal import Journal

    default = settings.make(ModelSettings)
    newest = None
    if journal.is_file():
        with Journal.open(journal, read_only=True) as opened:
            newest = opened.streams.latest()
    if newest is None:
        return FoundModel.of(default)
    found = model_for(newest, ModelChoice.told(settings))
    told = {name: getattr(default, name) for name in CHOICES if name in settings.origins}
    return replace(found, compile_passes=default.compile, **told)


def _usable(dtype: str, device: str | None) -> str | None:
    """A remembered number format; None where it would be slow: float16 of a GPU on a CPU."""
    if dtype != "float16":
        return dtype
    from keepsight.models.hardware.devices import choose_device

    return None if choose_device(device).type == "cpu" else dtype


def _where(stream: "StreamRecord") -> str:
    """Name that loads the model of a stream.

    A journal of an earlier version has only the name as it was given, and a relative folder looks like a hub id. It is
    not looked up on the hub unless it was downloaded from there.
    """
    from keepsight.models.naming import is_bundled, is_folder

    if stream.version is not None:
        checkpoint = stream.version.checkpoint
        if Path(checkpoint).is_absolute() and not is_folder(checkpoint):
            raise UnknownModelError(
                f"the stream was watched with the model folder {one_line(checkpoint)}, which is not there now; "
                "give its place with --model"
            )
        return checkpoint
    if is_bundled(stream.model) or is_folder(stream.model) or _is_downloaded(stream.model):
        return stream.model
    raise UnknownModelError(
        f"the stream was watched with the model {one_line(stream.model)}, which is not in this folder; "
        "give its folder or Hugging Face id with --model"
    )


def _is_downloaded(name: str) -> bool:
    """Whether a name is a hub id whose configuration is in the hub's cache."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        return isinstance(try_to_load_from_cache(name, "config.json"), str)
    except HFValidationError:
        return False
