"""The streams of a server: one model, one journal, one thread for each stream that is watched."""

import logging
import threading
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from types import TracebackType
from typing import Self

from starlette.exceptions import HTTPException

from keepsight.errors import (
    AddressRefusedError,
    JournalError,
    JournalWriteError,
    KeepsightError,
    NotAVideoError,
    NoVideoStreamError,
    SourceUnreachableError,
    VideoError,
)
from keepsight.journal import Journal, Quota, StreamLock, StreamRecord
from keepsight.models.protocol import BatchModel
from keepsight.server.bell import Bell
from keepsight.server.failures import conflict, no_such_stream, too_many
from keepsight.server.limits import Slots
from keepsight.server.observing import Observers
from keepsight.server.pushed import PushPoints, is_pushed, push_address, push_settings
from keepsight.server.settings import ServerSettings
from keepsight.server.standing.questions import StandingQuestions
from keepsight.server.stream_run import PAUSED, SHUT_DOWN, StreamRun, is_wanted
from keepsight.server.uploads import UPLOAD_SCHEME, UploadLimits, UploadStore, upload_folder
from keepsight.service import BatchedModel, BatchSettings
from keepsight.settings import Settings
from keepsight.sources.address import SourceAddress, SourceKind
from keepsight.sources.isolated import connect
from keepsight.sources.network.guard import Guard
from keepsight.sources.roots import check_is_under
from keepsight.sources.settings import SourceSettings
from keepsight.sources.supervision import Connection
from keepsight.video import Frame
from keepsight.watcher import Watcher
from keepsight.watching.session import find_or_begin

logger = logging.getLogger(__name__)


class StreamService:
    """Watches streams and knows how they are. All methods may be called from any thread; they may take a while.

        with StreamService(model, settings) as service:
            service.go_on()
            stream = service.begin("kitchen.mp4")

    Args:
        model: describes and answers; used by nobody else meanwhile.
        server: how much may be watched, and from where.
        watching: how streams are watched and questions answered.
        sources: how sources are read; roots and private addresses are those of the server.
        quota: how much the journal may hold; no limit if None.

    Raises:
        JournalError: the journal cannot be opened or made.
    """

    def __init__(
        self,
        model: BatchModel,
        server: ServerSettings,
        watching: Settings | None = None,
        sources: SourceSettings | None = None,
        quota: Quota | None = None,
    ) -> None:
        self.settings = watching or Settings()
        self.journal = Journal.create(server.journal)
        self.model = BatchedModel(model, BatchSettings(max_clips=server.max_streams))
        self.is_closing = False
        self.observers = Observers()
        self._max_streams = server.max_streams
        self._sources = replace(sources or SourceSettings(), allow_private=server.allow_private, roots=server.roots)
        self._quota = quota
        self._openings = Slots(server.max_openings, "sources are being opened")
        self._lock = threading.Lock()
        self._runs: dict[str, StreamRun] = {}
        self._bells: defaultdict[str, Bell] = defaultdict(Bell)
        self.news = Bell()
        """Rings when there is something new of any stream."""
        guard = Guard(allow_private=server.allow_private)
        self.standing = StandingQuestions(
            self.journal, self.model, guard, server.max_standing_questions, self.news, self.tell
        )
        self.standing.start()
        limits = UploadLimits(server.max_upload_bytes, server.max_uploads, server.max_uploads_total_bytes)
        self.uploads = UploadStore(upload_folder(server.journal), limits, self._is_used)
        self.pushed = PushPoints()

    def bell(self, stream_id: str) -> Bell:
        """Rings when there is something new of a stream."""
        with self._lock:
            return self._bells[stream_id]

    def tell(self, stream_id: str) -> None:
        """From any thread: there is something new of a stream."""
        self.bell(stream_id).ring()
        self.news.ring()

    def get(self, stream_id: str) -> StreamRecord:
        """The stream with an id, which may be any text.

        Raises:
            HTTPException: 404, there is none.
        """
        if not (len(stream_id) == 16 and set(stream_id) <= set("0123456789abcdef")):
            raise no_such_stream(stream_id)
        try:
            return self.journal.streams.get(stream_id)
        except JournalWriteError:  # another program keeps it locked
            raise
        except JournalError:
            raise no_such_stream(stream_id) from None

    def run_of(self, stream_id: str) -> StreamRun | None:
        """How a stream was watched last by this server, if it was."""
        return self._runs.get(stream_id)

    def runs(self) -> list[StreamRun]:
        """How each stream was watched last by this server."""
        return list(self._runs.values())

    def pending_frames(self, stream_id: str) -> tuple[Frame, ...]:
        """Frames of a stream that have no caption yet."""
        run = self.run_of(stream_id)
        return run.watcher.pending_frames if run is not None and run.is_alive else ()

    def begin(self, source: str, *, sample_fps: float | None = None, restart: bool = False) -> StreamRecord:
        """Watch a source: one that was watched before goes on where it was left, unless it was watched to its end.

        Args:
            source: path or address, `push:NAME`, or `upload:ID`.
            sample_fps: frames taken from each second; None takes that of the settings.
            restart: from the beginning, as a new stream.

        Raises:
            VideoError: there is nothing to be watched.
            SettingError: an argument is outside what is allowed.
            StreamLockedError: another program watches it into this journal.
            HTTPException: 409, it is being watched; 429, too many are.
        """
        address = self._address_of(source)
        settings = self.settings if sample_fps is None else replace(self.settings, sample_fps=sample_fps)
        return self._open(
            address,
            settings,
            lambda is_live, started_at: find_or_begin(
                self.journal,
                address.name,
                self.model,
                settings,
                restart=restart,
                is_live=is_live,
                started_at=started_at,
            ),
        )

    def resume(self, stream_id: str) -> StreamRecord:
        """Go on with a stream that was paused or interrupted, or failed; one that is being watched stays as it is.

        Raises:
            VideoError, StreamLockedError: as for `begin`.
            HTTPException: 404; 409, it was watched to its end, with another model, or anew since; 429.
        """
        stream = self.get(stream_id)
        run = self.run_of(stream_id)
        if run is not None and run.is_alive:
            return stream
        settings = Settings.from_json(stream.settings_json)
        if stream.is_finished and not stream.is_live:
            raise conflict("the stream was watched to its end")
        if stream.model != self.model.info.name:
            raise conflict(f"the stream was watched with the model {stream.model}, this server has another one")
        if self._newest_like(stream, settings) != stream_id:
            raise conflict("the source was watched anew since, as another stream: resume that one")
        known = None if run is None else run.source
        address = known if isinstance(known, SourceAddress) else self._address_of(known or stream.source)
        return self._open(address, settings, lambda *_: self.journal.streams.resume(stream_id))

    def pause(self, stream_id: str) -> StreamRecord:
        """Leave a stream alone until it is resumed; returns once the clip in work is stored.

        Raises:
            HTTPException: 404; 409, nobody is watching it.
        """
        self.get(stream_id)
        run = self.run_of(stream_id)
        if run is None or not run.is_alive:
            raise conflict("the stream is not being watched")
        run.stop(PAUSED)
        run.join()
        return self.get(stream_id)

    def remove(self, stream_id: str) -> None:
        """Stop watching a stream, and remove all that the journal has of it.

        Raises:
            StreamLockedError: another program watches it.
            HTTPException: 404.
        """
        stream = self.get(stream_id)
        run = self.run_of(stream_id)
        if run is not None:
            run.stop(PAUSED)
            run.join()
        with StreamLock.acquire(self.journal.path, stream_id, stream.source):
            self.get(stream_id)  # somebody else may have removed it meanwhile
            self.journal.streams.remove(stream_id)
        with self._lock:
            self._runs.pop(stream_id, None)
            bell = self._bells.pop(stream_id, None)
        if bell is not None:
            bell.ring()
        self.news.ring()
        self.uploads.forget(stream.source)
        if not self._is_used(stream.source):
            self.pushed.forget(stream.source)

    def file_of(self, stream: StreamRecord) -> tuple[str, str]:
        """Path of the file that a stream was made of, and the name that tells its type.

        Raises:
            AddressRefusedError: it lies outside the roots.
            HTTPException: 404, it was made of no file.
        """
        address = self._address_of(stream.source)
        if address.kind is not SourceKind.FILE:
            raise HTTPException(HTTPStatus.NOT_FOUND, "the stream has no video file that can be shown")
        check_is_under(address, self._sources_of(address).roots)
        return address.text, address.name

    def go_on(self) -> None:
        """Resume what a server before this one was watching when it was stopped, or died; what cannot be is logged."""
        for stream in self.journal.streams.all():
            if is_wanted(stream):
                try:
                    self.resume(stream.id)
                except (KeepsightError, HTTPException) as error:
                    reason = error.detail if isinstance(error, HTTPException) else error
                    logger.warning("stream %s is not gone on with: %s", stream.id, reason)

    def end_event_streams(self) -> None:
        """From any thread: let everybody who waits for events go, because the server is about to end."""
        self.is_closing = True
        with self._lock:
            bells = [*self._bells.values(), self.news]
        for bell in bells:
            bell.ring()

    def close(self) -> None:
        """Finish the clips in work, then let go of model and journal. A second call does nothing."""
        self.end_event_streams()
        with self._lock:  # whoever opens a source now is refused
            runs = self.runs()
        for run in runs:
            if run.is_alive:
                run.stop(SHUT_DOWN)
        for run in runs:
            run.join()
        self.standing.close()
        self.model.close()
        self.journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _open(
        self, address: SourceAddress, settings: Settings, find: Callable[[bool, float | None], StreamRecord]
    ) -> StreamRecord:
        """Open a source, find its stream, and watch it."""
        with self._openings.taken(), ExitStack() as on_failure:
            self._check_room(address.name)
            self._check_place(address)
            connection = None if address.is_always_live else self._connect(address)
            if connection is not None:
                on_failure.callback(connection.close)
            started_at = None if connection is None else connection.info.started_at
            with self._lock:
                self._check_room(address.name)
                stream = find(connection is None or connection.info.is_live, started_at)
                if stream.is_finished and not stream.is_live:
                    return stream
                StreamLock.acquire(self.journal.path, stream.id, stream.source).release()
                self._watch(stream, address, settings, connection)
            on_failure.pop_all()
            return stream

    def _check_room(self, name: str) -> None:
        running = [run for run in self.runs() if run.is_alive]
        for run in running:
            if run.stream.source == name:
                raise conflict(f"the source is being watched already, as stream {run.stream.id}")
        if len(running) >= self._max_streams:
            raise too_many(f"{self._max_streams} streams are being watched, which is the most: pause one of them")
        if self.is_closing:
            raise too_many("the server is about to end")

    def _check_place(self, address: SourceAddress) -> None:
        """Refuse what may not be watched before anything of it is opened, and before a live one is waited for.

        Raises:
            AddressRefusedError: it is stdin, lies outside the roots, or in a network that may not be connected to.
        """
        if address.is_stdin:
            raise AddressRefusedError("a server does not read frames from its stdin; push them to a FIFO or a socket")
        if not is_pushed(address.name):
            check_is_under(address, self._sources_of(address).roots)
        if address.kind is SourceKind.RTSP:
            from keepsight.sources.network.urls import parse_url

            url = parse_url(address.text)
            with suppress(SourceUnreachableError):  # it is waited for
                Guard(allow_private=self._sources.allow_private).resolve(url.host, url.port)

    def _watch(
        self, stream: StreamRecord, address: SourceAddress, settings: Settings, connection: Connection | None
    ) -> None:
        sources = self._sources_of(address)
        opener = self._connect_to_pushed if is_pushed(address.name) else None
        watcher = Watcher(self.model, self.journal, settings, sources, self._quota, opener)
        reopen = None if address.is_always_live else partial(connect, address, sources)
        bell = self._bells[stream.id]

        def ring() -> None:
            bell.ring()
            self.news.ring()

        run = StreamRun(stream, address, watcher, self.journal, reopen, connection, ring, self.observers)
        self._runs[stream.id] = run
        run.start()
        ring()

    def _address_of(self, source: str) -> SourceAddress:
        """What a source's name means here; uploads and pushed frames are known to servers alone."""
        if source.startswith(UPLOAD_SCHEME):
            return self.uploads.address_of(source)
        return push_address(source) if is_pushed(source) else SourceAddress.parse(source)

    def _sources_of(self, address: SourceAddress) -> SourceSettings:
        """How a source is read. An upload lies in no root, and in no root does anybody else name its path."""
        if address.name.startswith(UPLOAD_SCHEME):
            return replace(self._sources, roots=(self.uploads.folder,))
        return push_settings(self._sources) if is_pushed(address.name) else self._sources

    def _connect(self, address: SourceAddress) -> Connection:
        """Open a source. An upload that is no video is of no use to anybody, and is removed."""
        try:
            return connect(address, self._sources_of(address))
        except VideoError as error:
            if isinstance(error, NotAVideoError | NoVideoStreamError):
                self.uploads.forget(address.name)
            raise type(error)(self.uploads.without_paths(str(error))) from error

    def _connect_to_pushed(self, address: SourceAddress, _: SourceSettings) -> Connection:
        return self.pushed.of(address.name).connect()

    def _is_used(self, source: str) -> bool:
        return bool(self.journal.streams.of_source(source))

    def _newest_like(self, stream: StreamRecord, settings: Settings) -> str | None:
        """The stream that `find_or_begin` would go on with."""
        for other in reversed(self.journal.streams.of_source(stream.source)):
            same_settings = Settings.from_json(other.settings_json).watching() == settings.watching()
            if other.model == stream.model and same_settings and other.is_live == stream.is_live:
                return other.id
        return None
