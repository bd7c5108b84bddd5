"""`keepsight serve`: many streams over HTTP."""

import logging
import sys
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from keepsight.cli.interruption import Stopped, StopRequest, stop_requests
from keepsight.cli.options import checked_path
from keepsight.cli.output import make_console, printable
from keepsight.cli.preparing import check_journal_place
from keepsight.cli.remembered import served_model
from keepsight.cli.settings import SERVE, LiveSettings, ModelSettings, StorageSettings
from keepsight.cli.settings_options import ConfigOption, Load, PaperOption, PrintSettingsOption, TakesSettings
from keepsight.errors import SettingError
from keepsight.extras import require_extra
from keepsight.models.engines.settings import AnswerSettings
from keepsight.schema.printing import as_toml
from keepsight.schema.sources import LoadedSettings
from keepsight.server.settings import ServerSettings, TelemetrySettings
from keepsight.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

logger = logging.getLogger(__name__)


@TakesSettings(SERVE)
def serve(
    load: Load,
    config: ConfigOption = None,
    paper: PaperOption = False,
    print_settings: PrintSettingsOption = False,
) -> None:
    """Watch streams and answer questions over HTTP, until Ctrl-C.

    On restart the server resumes active streams.
    """
    loaded = load(config, paper)
    if print_settings:
        make_console().out(as_toml(loaded), end="", highlight=False)
        return
    require_extra("serve", "keepsight serve")
    loaded.make(ModelSettings).require_extras()
    if loaded.make(TelemetrySettings).otlp_endpoint is not None:
        require_extra("opentelemetry", "otlp_endpoint")
    with loaded.spelled():
        _run(loaded)


def _run(settings: LoadedSettings) -> None:
    """Serve until a signal.

    Raises:
        Stopped: by a signal; everything is stored.
    """
    from keepsight.asking.evidence import check_all_parts
    from keepsight.hub.freed_memory import keep_few_heaps
    from keepsight.hub.service import StreamService
    from keepsight.server.http.app import make_app
    from keepsight.server.http.running import HttpServer, address_of, listen
    from keepsight.server.telemetry.logs import log_to

    server, telemetry = settings.make(ServerSettings), settings.make(TelemetrySettings)
    watching = settings.make(Settings)
    engine = settings.make(AnswerSettings).to_engine()
    sources, quota = settings.make(LiveSettings).to_sources(), settings.make(StorageSettings).to_quota()
    checked_path(server.journal)
    check_journal_place(server.journal)
    model = served_model(server.journal, settings)
    check_all_parts(watching)
    keep_few_heaps()
    log_to(sys.stderr, telemetry.log_format, telemetry.log_level)
    for root in server.roots:
        if not root.is_dir():  # it may be a disk that is not mounted yet
            logger.warning("root %s is not a folder: create it to watch files in it", root)
    with stop_requests(), listen(server) as listening, _traces(telemetry.otlp_endpoint) as tracer:
        try:
            loaded = model.load()
            with StreamService(loaded, server, watching, sources, quota, engine) as service:
                app = make_app(service, server, tracer)  # metrics and logs cover the first clip on
                service.resume_active()
                make_console().print(f"listening on {printable(address_of(listening, server.host))}", markup=False)
                HttpServer(app, service).run(sockets=[listening])
        except StopRequest as request:
            raise Stopped(f"stopped; all captions are in {server.journal}", request.signal_number) from None


def _traces(endpoint: str | None) -> "AbstractContextManager[Tracer | None]":
    """Trace exporter for the duration of a block, or none.

    Raises:
        SettingError: OpenTelemetry refuses one of its variables.
    """
    if endpoint is None:
        return nullcontext()
    try:
        from keepsight.server.telemetry.exporting import Traces  # some variables are read on import

        return Traces(endpoint)
    except ValueError as error:
        raise SettingError(f"cannot set up tracing; check the OTEL_... variables: {error}") from None
