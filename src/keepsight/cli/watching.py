"""`keepsight watch`: its options, and the checks that need no model."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from typer.exceptions import TyperException

from keepsight.cli.interruption import Stopped, StopRequest, stop_requests
from keepsight.cli.options import JsonOption, checked_path
from keepsight.cli.output import make_console, wants_json
from keepsight.cli.preparing import WatchJob, check_journal_place, is_nothing_new, journal_path, open_sources
from keepsight.cli.remembered import FoundModel, pinned_model
from keepsight.cli.running import run_job, say_nothing_new
from keepsight.cli.settings import WATCH, LiveSettings, ModelSettings, StorageSettings
from keepsight.cli.settings_options import ConfigOption, Load, PaperOption, PrintSettingsOption, TakesSettings
from keepsight.errors import SettingError
from keepsight.incoming import checked_text
from keepsight.models.engines.settings import AnswerSettings
from keepsight.schema.printing import as_toml
from keepsight.server.settings import ServerSettings, TelemetrySettings
from keepsight.settings import Settings
from keepsight.sources.credentials import read_credentials
from keepsight.sources.settings import SourceSettings


@TakesSettings(WATCH, known=(ServerSettings, TelemetrySettings))
def watch(
    load: Load,
    source: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SOURCE",
            help="Files, folders of pictures, http(s):// and rtsp:// addresses, /dev/video0, or - for frames on stdin.",
            show_default=False,
        ),
    ] = None,
    journal: Annotated[
        Path | None,
        typer.Option(
            help="Journal to write; default: named after SOURCE.", callback=checked_path, rich_help_panel="Storage"
        ),
    ] = None,
    ask: Annotated[
        list[str] | None, typer.Option(help="Question to answer at the end; repeatable.", rich_help_panel="Basic")
    ] = None,
    paper: PaperOption = False,
    video_stream: Annotated[
        int | None,
        typer.Option(
            help="Video stream of a file, from 0; default: its default stream, else the largest.",
            rich_help_panel="Basic",
        ),
    ] = None,
    restart: Annotated[
        bool,
        typer.Option("--restart", help="Watch from the beginning as a new stream.", rich_help_panel="Basic"),
    ] = False,
    user: Annotated[
        str | None,
        typer.Option(
            help="User for cameras whose address has none; or set KEEPSIGHT_SOURCE_USER.",
            metavar="NAME",
            rich_help_panel="Live",
        ),
    ] = None,
    password_file: Annotated[
        Path | None,
        typer.Option(
            help="File whose first line is their password; or KEEPSIGHT_SOURCE_PASSWORD.",
            metavar="FILE",
            rich_help_panel="Live",
        ),
    ] = None,
    config: ConfigOption = None,
    print_settings: PrintSettingsOption = False,
    json: JsonOption = None,
) -> None:
    """Watch videos and cameras: a caption for each clip, and answers to questions at the end.

    The same command resumes an earlier one. Several sources are watched in parallel.
    """
    loaded = load(config, paper)
    if print_settings:
        make_console().out(as_toml(loaded), end="", highlight=False)
        return
    if not source:
        raise TyperException("Missing argument 'SOURCE...'")
    model = loaded.make(ModelSettings)
    model.require_extras()
    settings, live = loaded.make(Settings), loaded.make(LiveSettings)
    engine = loaded.make(AnswerSettings).to_engine()
    known = read_credentials(live.credentials, user, password_file)
    sources = tuple(known.attached(one) for one in source)
    job = replace(
        prepare_job(sources, journal, tuple(ask or ()), settings, live.to_sources(), restart, video_stream),
        quota=loaded.make(StorageSettings).to_quota(),
        engine=engine,
    )
    with loaded.spelled():
        _run(job, model, None if wants_json(json) else make_console())


def _run(job: WatchJob, model: ModelSettings, console: Console | None) -> None:
    """Watch and answer, if there is anything to watch or ask.

    Raises:
        Stopped: by a signal; stored captions are kept.
    """
    found = replace(FoundModel.of(model), model=pinned_model(job.journal, model.model))
    with stop_requests(), closing(job):
        try:
            if is_nothing_new(job, found):
                say_nothing_new(job, found.model, console)
                return
            from keepsight.asking.evidence import check_all_parts

            check_all_parts(job.settings)
            loaded = found.load()
            run_job(job, loaded, console)
        except StopRequest as request:  # during model loading; later ones are handled there
            raise Stopped("stopped before watching began", request.signal_number) from None


def prepare_job(
    sources: tuple[str, ...],
    journal: Path | None,
    questions: tuple[str, ...],
    settings: Settings,
    reading: SourceSettings,
    restart: bool,
    video_stream: int | None = None,
) -> WatchJob:
    """Check sources and journal before loading a model.

    Raises:
        VideoError: a source has no video.
        JournalError: the journal is not writable.
        SettingError: a question is invalid, a source is given twice, or a video stream is given for several sources.
    """
    for question in questions:
        checked_text(question, "the question of --ask")
    from keepsight.sources.address import SourceAddress

    addresses = [SourceAddress.parse(source) for source in sources]
    names = tuple(address.name for address in addresses)
    if len(set(names)) < len(names):
        raise SettingError(f"sources must be distinct, got {', '.join(names)}")
    if video_stream is not None:
        if len(addresses) > 1:
            raise SettingError(f"--video-stream is for a single file, got {len(addresses)} sources")
        addresses = [addresses[0].with_video_stream(video_stream)]
    watched = sources if video_stream is None else tuple(addresses)
    path = journal or journal_path(addresses)
    check_journal_place(path)
    opened = open_sources(addresses, reading)
    duration_seconds = None if opened is None else opened.info.duration_seconds
    return WatchJob(watched, names, path, questions, settings, reading, restart, duration_seconds, connection=opened)
