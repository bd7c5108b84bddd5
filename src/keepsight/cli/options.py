"""Options shared by several commands, and their parsing."""

import errno
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from keepsight.cli.collection import paused_collection
from keepsight.cli.output import complain
from keepsight.errors import SettingError
from keepsight.incoming import checked_text
from keepsight.models.load_options import DTYPE_DEFAULT, LoadRequest
from keepsight.models.registry import BUNDLED

if TYPE_CHECKING:
    from keepsight.method.protocol import AnsweringModel, BatchModel


def checked_question(question: str) -> str:
    """Check a question's text and return it.

    Raises:
        SettingError: it is invalid.
    """
    return checked_text(question, "the question")


def checked_path(path: Path | None) -> Path | None:
    """Check that a path can be a file's, existing or not, and return it.

    Raises:
        SettingError: it is too long, a symlink loop, or a folder.
    """
    if path is None:
        return None
    try:
        is_folder = stat.S_ISDIR(path.stat().st_mode)
    except OSError as error:
        if error.errno in (errno.ENAMETOOLONG, errno.ELOOP):
            raise SettingError(f"{str(path)[:80]!r} is not a valid file path: {error.strerror}") from error
        return path
    if is_folder:
        raise SettingError(f"the path must be a file, got the folder {path}")
    return path


JournalArgument = Annotated[Path, typer.Argument(metavar="JOURNAL", help="Journal file.", callback=checked_path)]
QuestionArgument = Annotated[str, typer.Argument(help="What to ask, in quotes.", callback=checked_question)]
SourceOption = Annotated[
    str | None,
    typer.Option(
        help="Which stream, if the journal has several: its id, or the name, folder, file or host of its source.",
        metavar="NAME",
    ),
]
DeviceOption = Annotated[
    str | None,
    typer.Option(
        help="cpu, cuda, cuda:1, mps, cuda:0,cuda:1 ...; default: CUDA, else mps, else cpu.", metavar="DEVICE"
    ),
]
DtypeOption = Annotated[
    str | None, typer.Option(help=f"float32, float16 or bfloat16; default: {DTYPE_DEFAULT}.", metavar="TYPE")
]
JournalDtypeOption = Annotated[
    str | None,
    typer.Option(help="float32, float16 or bfloat16; default: as the stream was watched.", metavar="TYPE"),
]
QuantizationOption = Annotated[
    str | None,
    typer.Option(
        help="int8, int4 or none; default: as the stream was watched. Needs the extra `quantization`.",
        metavar="BITS",
    ),
]
OtherModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        help="Another model to answer with: bundled name, folder or Hugging Face id; default: the one that watched.",
        metavar="MODEL",
    ),
]
JsonOption = Annotated[
    bool | None,
    typer.Option(
        "--json/--no-json",
        help="Write JSON lines or text; default: text on a terminal, JSON otherwise.",
        rich_help_panel="Basic",
    ),
]


def load_model_or_say(request: LoadRequest) -> "BatchModel":
    """Load a model; for a bundled one, print its limits on stderr.

    Raises:
        ModelError, SettingError: as for `load_model`.
    """
    with paused_collection():
        from keepsight.models.hardware.devices import settle_threads
        from keepsight.models.loading import load_model

        model = load_model(request.model, **request.keywords)
    settle_threads(model.info.device, model.info.num_parameters)
    _say_limits(request.model)
    return model


def load_answering_or_say(request: LoadRequest) -> "AnsweringModel":
    """Load a model that answers from captions; for a bundled one, print its limits on stderr.

    Settings for frames and passes are ignored.

    Raises:
        ModelError, SettingError: as for `load_answering_model`.
    """
    with paused_collection():
        from keepsight.models.hardware.devices import settle_threads
        from keepsight.models.loading import load_answering_model

        model = load_answering_model(
            request.model,
            device=request.device,
            dtype=request.dtype,
            quantization=request.quantization,
            repetition_penalty=request.repetition_penalty,
        )
    settle_threads(model.info.device, model.info.num_parameters)
    _say_limits(request.model)
    return model


def _say_limits(name: str) -> None:
    for bundled in BUNDLED:
        if bundled.name == name:
            complain(f"the model {name} {bundled.description}")


def parse_time(text: str) -> float:
    """Seconds from `75`, `75.5`, `1:15` or `0:01:15`.

    Raises:
        SettingError: it has another form, or minutes or seconds above 59.
    """
    match = re.fullmatch(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d+)?)", text.strip(), flags=re.ASCII)
    if match is None:
        raise SettingError(f"a time must be written as 75, 1:15 or 0:01:15, got {text!r}")
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    if (match[2] is not None and seconds >= 60) or (match[1] is not None and minutes >= 60):
        raise SettingError(f"minutes and seconds of a time must be below 60, got {text!r}")
    return hours * 3600 + minutes * 60 + seconds
