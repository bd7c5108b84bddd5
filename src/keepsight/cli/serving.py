"""`keepsight serve`: many streams behind HTTP."""

import logging
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from keepsight.cli.interruption import Stopped, StopRequest, stop_requests
from keepsight.cli.options import (
    DeviceOption,
    DtypeOption,
    MaxDaysOption,
    MaxGigabytesOption,
    MaxStreamGigabytesOption,
    QuantizationOption,
    SampleFpsOption,
    load_model_or_say,
)
from keepsight.cli.output import make_console, printable
from keepsight.cli.watching import make_quota, make_settings
from keepsight.errors import SettingError
from keepsight.server.settings import ServerSettings

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

    from keepsight.journal import Quota
    from keepsight.server.settings_sources import SettledSettings
    from keepsight.settings import Settings

logger = logging.getLogger(__name__)


def serve(
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Settings in TOML; flags and KEEPSIGHT_... variables win.")
    ] = None,
    host: Annotated[
        str | None,
        typer.Option(help="Address to listen on; other than loopback needs a token.", show_default=ServerSettings.host),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(help="Port to listen on; 0 for any that is free.", show_default=str(ServerSettings.port)),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(
            help="What every request must carry. Better given as KEEPSIGHT_TOKEN: others see a command's words."
        ),
    ] = None,
    scoped_token: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SCOPE:TOKEN",
            help="A token that may only read, or ask: ask:TOKEN. Better given as KEEPSIGHT_TOKENS=read:A,ask:B.",
        ),
    ] = None,
    journal: Annotated[
        Path | None, typer.Option(help="Where all streams are written.", show_default="keepsight.db")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="A bundled name, a folder, or a Hugging Face id.", show_default="tiny")
    ] = None,
    root: Annotated[
        list[Path] | None,
        typer.Option(help="A folder in which files may be watched; this folder when not given. May be given again."),
    ] = None,
    allow_private: Annotated[
        bool | None,
        typer.Option("--allow-private/--no-allow-private", help="Sources in your own network may be watched, too."),
    ] = None,
    allowed_host: Annotated[
        list[str] | None, typer.Option(help="A name that the server may be called by, such as a proxy's.")
    ] = None,
    sample_fps: SampleFpsOption = None,
    max_streams: Annotated[
        int | None, typer.Option(help="Streams watched at a time.", show_default=str(ServerSettings.max_streams))
    ] = None,
    max_gigabytes: MaxGigabytesOption = None,
    max_stream_gigabytes: MaxStreamGigabytesOption = None,
    max_days: MaxDaysOption = None,
    device: DeviceOption = None,
    dtype: DtypeOption = None,
    quantization: QuantizationOption = None,
    log_format: Annotated[
        str | None, typer.Option(metavar="FORMAT", help="The log on stderr: text or json.", show_default="text")
    ] = None,
    log_level: Annotated[
        str | None,
        typer.Option(metavar="LEVEL", help="From where on: debug, info, warning or error.", show_default="warning"),
    ] = None,
    otlp_endpoint: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Send traces to an OpenTelemetry collector: http://127.0.0.1:4318."),
    ] = None,
    print_settings: Annotated[
        bool, typer.Option("--print-settings", help="Show all settings as TOML, where each is from, and end.")
    ] = False,
) -> None:
    """Watch streams and answer questions over HTTP, until Ctrl-C.

    Streams that were being watched when the last server was stopped, or died, are gone on with.
    """
    from keepsight.server.settings_shown import as_toml
    from keepsight.server.settings_sources import settle

    flags = {
        "host": host,
        "port": port,
        "token": token,
        "tokens": scoped_token or None,
        "journal": journal,
        "model": model,
        "roots": root or None,
        "allow_private": allow_private,
        "allowed_hosts": allowed_host or None,
        "sample_fps": sample_fps,
        "max_streams": max_streams,
        "max_gigabytes": max_gigabytes,
        "max_stream_gigabytes": max_stream_gigabytes,
        "max_days": max_days,
        "device": device,
        "dtype": dtype,
        "quantization": quantization,
        "log_format": log_format,
        "log_level": log_level,
        "otlp_endpoint": otlp_endpoint,
    }
    settings = settle(flags, config)
    watching, quota = _watching_and_quota(settings)
    if print_settings:
        make_console().out(as_toml(settings), end="", highlight=False)
        return
    _run(settings, watching, quota)


def _watching_and_quota(settings: "SettledSettings") -> "tuple[Settings, Quota | None]":
    """How streams are watched, and how much the journal may hold.

    Raises:
        SettingError: a value is outside what is allowed.
    """
    work = settings.work
    try:
        return (
            make_settings(False, False, {"sample_fps": work.sample_fps}),
            make_quota(work.max_gigabytes, work.max_days, work.max_stream_gigabytes),
        )
    except SettingError as error:
        raise settings.naming_origins(error) from None


def _run(settings: "SettledSettings", watching: "Settings", quota: "Quota | None") -> None:
    """Serve until a signal.

    Raises:
        Stopped: it came, and everything is stored.
    """
    from keepsight.server.app import make_app
    from keepsight.server.freed_memory import keep_few_heaps
    from keepsight.server.running import HttpServer, address_of, listen
    from keepsight.server.streams.service import StreamService
    from keepsight.server.telemetry.logs import log_to

    keep_few_heaps()
    server, work = settings.server, settings.work
    log_to(sys.stderr, work.log_format, work.log_level)
    for root in server.roots:
        if not root.is_dir():  # it may be a disk that is not there yet
            logger.warning("the root %s is no folder: until it is one, nothing in it can be watched", root)
    with stop_requests(), listen(server) as listening, _traces(work.otlp_endpoint) as tracer:
        try:
            loaded = load_model_or_say(work.model, work.device, work.dtype, work.quantization)
            with StreamService(loaded, server, watching, quota=quota) as service:
                app = make_app(service, server, tracer)  # counts and logs from the first clip on
                service.go_on()
                make_console().print(f"listening on {printable(address_of(listening, server.host))}", markup=False)
                HttpServer(app, service).run(sockets=[listening])
        except StopRequest as request:
            raise Stopped(f"stopped; everything is in {server.journal}", request.signal_number) from None


def _traces(endpoint: str | None) -> "AbstractContextManager[Tracer | None]":
    """What takes traces for as long as it is open.

    Raises:
        SettingError: OpenTelemetry is not installed, or refuses a variable of its own.
    """
    if endpoint is None:
        return nullcontext()
    try:
        from keepsight.server.telemetry.exporting import Traces

        return Traces(endpoint)
    except ImportError:
        raise SettingError('otlp_endpoint needs OpenTelemetry: pip install "keepsight[opentelemetry]"') from None
    except ValueError as error:
        raise SettingError(f"a variable OTEL_... is wrong: {error}") from None
