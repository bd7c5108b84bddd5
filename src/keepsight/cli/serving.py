"""`keepsight serve`: many streams behind HTTP."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from keepsight.cli.interruption import Stopped, StopRequest, stop_requests
from keepsight.cli.options import DeviceOption, DtypeOption, QuantizationOption, load_model_or_say
from keepsight.cli.output import make_console, printable
from keepsight.cli.watching import make_quota, make_settings


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on; other than loopback needs a token.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 for any that is free.")] = 8765,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="KEEPSIGHT_TOKEN",
            show_envvar=True,
            help="What every request must carry. Better given in the environment: others see a command's words.",
        ),
    ] = None,
    journal: Annotated[Path, typer.Option(help="Where all streams are written.")] = Path("keepsight.db"),
    model: Annotated[str, typer.Option(help="A bundled name, a folder, or a Hugging Face id.")] = "tiny",
    root: Annotated[
        list[Path] | None,
        typer.Option(help="A folder in which files may be watched; this folder when not given. May be given again."),
    ] = None,
    allow_private: Annotated[
        bool, typer.Option("--allow-private", help="Sources in your own network may be watched, too.")
    ] = False,
    allowed_host: Annotated[
        list[str] | None, typer.Option(help="A name that the server may be called by, such as a proxy's.")
    ] = None,
    sample_fps: Annotated[float | None, typer.Option(help="Frames taken from each second of video.")] = None,
    max_streams: Annotated[int, typer.Option(help="Streams watched at a time.")] = 8,
    max_gigabytes: Annotated[
        float | None,
        typer.Option(help="Most that the journal may hold; the oldest pictures go first, then clips."),
    ] = None,
    max_days: Annotated[float | None, typer.Option(help="Clips that are older are removed from the journal.")] = None,
    device: DeviceOption = None,
    dtype: DtypeOption = None,
    quantization: QuantizationOption = None,
) -> None:
    """Watch streams and answer questions over HTTP, until Ctrl-C.

    Streams that were being watched when the last server was stopped, or died, are gone on with.
    """
    from keepsight.server.settings import ServerSettings

    settings = ServerSettings(
        journal=journal,
        roots=tuple(root or [Path()]),
        host=host,
        port=port,
        token=token,
        allowed_hosts=tuple(allowed_host or ()),
        allow_private=allow_private,
        max_streams=max_streams,
    )
    watching = make_settings(False, False, {"sample_fps": sample_fps})
    quota = make_quota(max_gigabytes, max_days)

    from keepsight.server.app import make_app
    from keepsight.server.running import HttpServer, address_of, listen
    from keepsight.server.streams import StreamService

    logging.basicConfig(level=logging.WARNING, format="keepsight: %(message)s")
    with stop_requests(), listen(settings) as listening:
        try:
            loaded = load_model_or_say(model, device, dtype, quantization)
            with StreamService(loaded, settings, watching, quota=quota) as service:
                service.go_on()
                make_console().print(f"listening on {printable(address_of(listening, host))}", markup=False)
                HttpServer(make_app(service, settings), service).run(sockets=[listening])
        except StopRequest as request:
            raise Stopped(f"stopped; everything is in {journal}", request.signal_number) from None
