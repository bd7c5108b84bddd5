"""Options that several commands share, and how their words are read."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from keepsight.cli.output import complain
from keepsight.errors import SettingError
from keepsight.models.registry import BUNDLED

if TYPE_CHECKING:
    from keepsight.models.protocol import BatchModel

JournalArgument = Annotated[Path, typer.Argument(metavar="JOURNAL", help="The journal that watching wrote.")]
DeviceOption = Annotated[
    str | None, typer.Option(help="cpu, cuda, cuda:1 ...; CUDA if there is any when not given.", metavar="DEVICE")
]
DtypeOption = Annotated[
    str | None, typer.Option(help="float32, float16 or bfloat16; float16 on CUDA when not given.", metavar="TYPE")
]
QuantizationOption = Annotated[
    str | None,
    typer.Option(help="int8 or int4 weights in the decoder; needs the extra named quantization.", metavar="KIND"),
]
SampleFpsOption = Annotated[float | None, typer.Option(help="Frames taken from each second of video.")]
MaxGigabytesOption = Annotated[
    float | None, typer.Option(help="Most that the journal may hold; the oldest pictures go first, then clips.")
]
MaxStreamGigabytesOption = Annotated[
    float | None, typer.Option(help="Most that it may hold of each stream: its clips, their pictures, its memory.")
]
MaxDaysOption = Annotated[float | None, typer.Option(help="Clips that are older are removed from the journal.")]
JsonOption = Annotated[
    bool | None,
    typer.Option("--json/--no-json", help="JSON lines or text; text on a terminal, JSON otherwise when not given."),
]


def load_model_or_say(
    name: str, device: str | None, dtype: str | None, quantization: str | None = None, compile_passes: bool = False
) -> "BatchModel":
    """Load a model; for a bundled one, say on stderr what it cannot do.

    Raises:
        ModelError, SettingError: as for `load_model`.
    """
    from keepsight.models.devices import settle_threads
    from keepsight.models.loading import load_model

    model = load_model(name, device=device, dtype=dtype, quantization=quantization, compile_passes=compile_passes)
    settle_threads(model.info.device, model.info.num_parameters)
    for bundled in BUNDLED:
        if bundled.name == name:
            complain(f"the model {name} {bundled.description}")
    return model


def parse_time(text: str) -> float:
    """Seconds from `75`, `75.5`, `1:15` or `0:01:15`.

    Raises:
        SettingError: the text is none of these.
    """
    match = re.fullmatch(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d+)?)", text.strip(), flags=re.ASCII)
    if match is None:
        raise SettingError(f"a time is written as 75, 1:15 or 0:01:15, not {text!r}")
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds
