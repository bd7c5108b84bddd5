"""`keepsight watch`: its options, and the checks that need no model."""

import math
import re
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from keepsight.cli.interruption import Stopped, StopRequest, stop_requests
from keepsight.cli.options import (
    DeviceOption,
    DtypeOption,
    JsonOption,
    MaxDaysOption,
    MaxGigabytesOption,
    MaxStreamGigabytesOption,
    QuantizationOption,
    SampleFpsOption,
    load_model_or_say,
)
from keepsight.cli.output import make_console, wants_json
from keepsight.cli.running import WatchJob, run_job
from keepsight.errors import SettingError
from keepsight.settings import PAPER, SELECTOR_NAMES, Settings
from keepsight.sources.frame_queue import DropPolicy
from keepsight.sources.settings import LoadSettings, SourceSettings, SupervisionSettings

if TYPE_CHECKING:
    from keepsight.journal import Quota
    from keepsight.sources.address import SourceAddress
    from keepsight.sources.isolated import IsolatedReader


def watch(
    source: Annotated[
        list[str],
        typer.Argument(
            help="Files, folders of pictures, http(s):// and rtsp:// addresses, /dev/video0, or - for frames on stdin."
        ),
    ],
    journal: Annotated[
        Path | None, typer.Option(help="Where to write; SOURCE's name with .db, in this folder, when not given.")
    ] = None,
    model: Annotated[str, typer.Option(help="A bundled name, a folder, or a Hugging Face id.")] = "tiny",
    ask: Annotated[list[str] | None, typer.Option(help="A question for the end. May be given more than once.")] = None,
    sample_fps: SampleFpsOption = None,
    selector: Annotated[str | None, typer.Option(help=f"What is kept: {', '.join(SELECTOR_NAMES)}.")] = None,
    retention: Annotated[float | None, typer.Option(help="Share of a clip's visual tokens that is kept.")] = None,
    memory_clips: Annotated[int | None, typer.Option(help="Clips that the visual memory holds.")] = None,
    paper: Annotated[bool, typer.Option("--paper", help="Start from the paper's settings in every point.")] = False,
    live: Annotated[bool, typer.Option("--live", help="Questions also see frames that have no caption yet.")] = False,
    restart: Annotated[bool, typer.Option("--restart", help="Watch from the beginning as a new stream.")] = False,
    drop: Annotated[
        DropPolicy,
        typer.Option(help="What a live source loses when the model is slower: drop-oldest, drop-newest or thin."),
    ] = DropPolicy.DROP_OLDEST,
    stall_seconds: Annotated[
        float, typer.Option(help="A live source without a picture for so long is tried anew.")
    ] = 20.0,
    allow_private: Annotated[
        bool, typer.Option("--allow-private", help="Addresses in your own network may be connected to, too.")
    ] = False,
    max_gigabytes: MaxGigabytesOption = None,
    max_stream_gigabytes: MaxStreamGigabytesOption = None,
    max_days: MaxDaysOption = None,
    device: DeviceOption = None,
    dtype: DtypeOption = None,
    quantization: QuantizationOption = None,
    compile_passes: Annotated[
        bool, typer.Option("--compile", help="Compile the writing of captions: slow to begin, may pay on a GPU.")
    ] = False,
    json: JsonOption = None,
) -> None:
    """Watch videos and cameras: a caption for each clip, and answers to questions at the end.

    The same command goes on where an earlier one was stopped. Several sources are watched side by side.
    """
    given = {"sample_fps": sample_fps, "selector": selector, "retention": retention, "memory_clips": memory_clips}
    settings = make_settings(paper, live, given)
    reading = SourceSettings(
        allow_private=allow_private,
        supervision=SupervisionSettings(stall_seconds=stall_seconds),
        load=LoadSettings(policy=drop),
    )
    quota = make_quota(max_gigabytes, max_days, max_stream_gigabytes)
    job = replace(prepare_job(tuple(source), journal, tuple(ask or ()), settings, reading, restart), quota=quota)
    console = None if wants_json(json) else make_console()
    with stop_requests(), closing(job):
        try:
            run_job(job, load_model_or_say(model, device, dtype, quantization, compile_passes), console)
        except StopRequest as request:  # while the model was loaded; later ones are handled there
            raise Stopped("stopped before watching began", request.signal_number) from None


def make_settings(paper: bool, live: bool, given: dict[str, Any]) -> Settings:
    """The defaults or the paper's settings, with what the user gave in their place.

    Raises:
        SettingError: a value is outside what is allowed.
    """
    changes = {name: value for name, value in given.items() if value is not None}
    return replace(PAPER if paper else Settings(), live=live, **changes)


def make_quota(
    max_gigabytes: float | None, max_days: float | None, max_stream_gigabytes: float | None = None
) -> "Quota | None":
    """What the journal may hold, or None for no limit.

    Args:
        max_gigabytes: of the whole file.
        max_days: since a clip was stored.
        max_stream_gigabytes: of what is stored of each stream.

    Raises:
        SettingError: a limit is not above 0, or not finite.
    """
    from keepsight.journal import Quota

    limits = {
        "--max-gigabytes": max_gigabytes,
        "--max-stream-gigabytes": max_stream_gigabytes,
        "--max-days": max_days,
    }
    if all(limit is None for limit in limits.values()):
        return None
    for name, limit in limits.items():
        if limit is not None and not 0 < limit < math.inf:
            raise SettingError(f"{name} is finite and above 0, not {limit}")
    return Quota(
        max_file_bytes=None if max_gigabytes is None else _num_bytes(max_gigabytes),
        max_stream_bytes=None if max_stream_gigabytes is None else _num_bytes(max_stream_gigabytes),
        max_age_seconds=None if max_days is None else max_days * 86_400,
    )


def _num_bytes(gigabytes: float) -> int:
    """Whole bytes, at least one. Reckoned exactly, since a float would overflow where somebody means no limit."""
    return max(1, round(Fraction(gigabytes) * 10**9))


def prepare_job(
    sources: tuple[str, ...],
    journal: Path | None,
    questions: tuple[str, ...],
    settings: Settings,
    reading: SourceSettings,
    restart: bool,
) -> WatchJob:
    """Check sources and journal, so that what is wrong with them shows before a model is loaded.

    Raises:
        VideoError: there is nothing to watch.
        JournalError: the journal exists and cannot be written to.
        SettingError: a question is empty, or a source is given twice.
    """
    if any(not question.strip() for question in questions):
        raise SettingError("a question given with --ask is empty")
    from keepsight.journal import Journal
    from keepsight.sources.address import SourceAddress

    addresses = [SourceAddress.parse(source) for source in sources]
    names = tuple(address.name for address in addresses)
    if len(set(names)) < len(names):
        raise SettingError(f"each source is given once, not {', '.join(names)}")
    path = journal or Path(f"{journal_stem(addresses)}.db")
    if path.exists():
        Journal.create(path).close()
    opened = _open_here(addresses, reading)
    duration_seconds = None if opened is None else opened.info.duration_seconds
    return WatchJob(sources, names, path, questions, settings, reading, restart, duration_seconds, connection=opened)


def journal_stem(addresses: "Sequence[SourceAddress]") -> str:
    """The name of a journal without its ending: that of the only source, or what stands for several."""
    if len(addresses) > 1:
        return "keepsight"
    name = addresses[0].name.partition("?")[0].rstrip("/")
    words = re.sub(r"[^\w.-]+", "-", Path(name.removeprefix("unix:")).stem).strip("-.")
    return words or "stream"


def _open_here(addresses: "Sequence[SourceAddress]", reading: SourceSettings) -> "IsolatedReader | None":
    """Open the sources that are on this machine, to see what is wrong with them; the only one stays open."""
    from keepsight.sources.isolated import connect

    opened = None
    for address in addresses:
        if not address.may_be_live:
            opened = connect(address, reading)
            if len(addresses) > 1:
                opened.close()
    return opened if len(addresses) == 1 else None
