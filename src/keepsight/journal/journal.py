"""The durable long-term store: one SQLite file."""

import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Self

from keepsight.errors import JournalWriteError, SettingError
from keepsight.journal.alerts import AlertTable, DeliveryTable
from keepsight.journal.answers import AnswerTable
from keepsight.journal.clips import ClipTable
from keepsight.journal.compared import ComparedTable
from keepsight.journal.database import Database
from keepsight.journal.gaps import GapTable
from keepsight.journal.last_clip import LastClipTable
from keepsight.journal.memory_snapshot import MemoryTable
from keepsight.journal.standing import StandingTable
from keepsight.journal.storage import StorageTable
from keepsight.journal.streams import StreamTable
from keepsight.journal.writer import PATIENCE_SECONDS


class Journal:
    """Captions, kept tokens, gaps, questions and answers of watched streams.

    A write is on disk when its call returns (write-ahead log, `synchronous=FULL`). Other processes may read and add
    questions while a stream is watched. Thread-safe.

        with Journal.open("kitchen.db") as journal:
            stream = journal.streams.latest()
            for caption in journal.clips.captions(stream.id):
                print(caption.span, caption.caption)

    Attributes:
        streams: watched sources and how they ended.
        clips: captions, spans, embeddings, scores, pictures.
        gaps: spans not watched.
        answers: questions and answers.
        alerts: alerts of standing questions.
        standing: standing questions and how far they were checked.
        deliveries: pending webhook deliveries.
        memory: current visual memory of each stream.
        compared: pictures that the next clips are compared with.
        last_clips: clips cut by the end of their source, which can be replaced.
        storage: sizes of rows, and removal (see `quota.apply_quota`).
    """

    def __init__(self, database: Database, folder: "tempfile.TemporaryDirectory[str] | None" = None) -> None:
        self._database = database
        self._folder = folder  # removed with the journal
        self.streams = StreamTable(database)
        self.clips = ClipTable(database)
        self.gaps = GapTable(database)
        self.answers = AnswerTable(database)
        self.alerts = AlertTable(database)
        self.standing = StandingTable(database, self.alerts)
        self.deliveries = DeliveryTable(database)
        self.memory = MemoryTable(database)
        self.compared = ComparedTable(database)
        self.last_clips = LastClipTable(database)
        self.storage = StorageTable(database)

    @classmethod
    def create(cls, path: str | PathLike[str], *, max_bytes: int | None = None) -> Self:
        """Open a journal for writing, creating it if missing and migrating an older one.

        An older journal is backed up first, to a file named after its version: `kitchen.db.v1.bak`.

        Args:
            path: the file.
            max_bytes: size limit of the file, at which writes fail; None for no limit.

        Raises:
            NotAJournalError: it is another kind of file; it is unchanged.
            JournalTooNewError: a later version of Keepsight wrote it.
            JournalLogError: another journal's log is next to it; nothing is changed.
            JournalWriteError: it cannot be created, written or backed up.
            SettingError: `max_bytes` is less than 1.
        """
        if max_bytes is not None and max_bytes < 1:
            raise SettingError(f"max_bytes must be at least 1, got {max_bytes}")
        return cls(Database(Path(path), create=True, max_bytes=max_bytes))

    @classmethod
    def temporary(cls) -> Self:
        """Make a journal that is removed when it is closed or the process ends, as for a notebook.

        It is a file in a private folder in `tempfile.gettempdir()`, so that it is read while it is written, as all are,
        and takes no memory. Only a process that is killed leaves it behind.

        Raises:
            JournalWriteError: it cannot be made there.
        """
        try:
            folder = tempfile.TemporaryDirectory(prefix="keepsight-journal-", ignore_cleanup_errors=True)
        except OSError as error:
            raise JournalWriteError(f"cannot make a temporary journal: {error.strerror}") from error
        with ExitStack() as on_failure:
            on_failure.callback(folder.cleanup)
            journal = cls(Database(Path(folder.name) / "journal.db", create=True), folder)
            on_failure.pop_all()
        return journal

    @classmethod
    def open(cls, path: str | PathLike[str], *, read_only: bool = False) -> Self:
        """Open an existing journal.

        Args:
            path: the file.
            read_only: never write; storing an answer then raises `JournalWriteError`.

        Raises:
            JournalNotFoundError: the file is missing.
            NotAJournalError, JournalTooNewError, JournalLogError, JournalWriteError: as for `create`.
        """
        return cls(Database(Path(path), read_only=read_only))

    @classmethod
    def open_or_read(cls, path: str | PathLike[str]) -> Self:
        """Open a journal for writing, or read-only if it is on a read-only disk or not writable.

        Raises:
            JournalNotFoundError, NotAJournalError, JournalTooNewError, JournalLogError: as for `open`.
            JournalWriteError: it can be neither written nor read.
        """
        try:
            return cls.open(path)
        except JournalWriteError as unwritable:
            try:
                return cls.open(path, read_only=True)
            except JournalWriteError:
                raise unwritable from None

    @property
    def path(self) -> Path:
        """Path of the file."""
        return self._database.path

    @property
    def is_read_only(self) -> bool:
        """Whether the journal is read-only."""
        return self._database.read_only

    @property
    def was_in_use(self) -> bool:
        """Whether this is a copy made in use without the write-ahead log."""
        return self._database.was_in_use

    def trouble(self) -> str:
        """Reason why new entries cannot be stored now, in one line; empty if they can."""
        return self._database.trouble()

    @property
    def waited_seconds(self) -> float:
        """Total time that writes waited for other programs' locks."""
        return self._database.waited_seconds

    def transaction(
        self, patience_seconds: float = PATIENCE_SECONDS, give_up: Callable[[], bool] | None = None
    ) -> AbstractContextManager[None]:
        """Make all writes inside durable together, or none.

        Args:
            patience_seconds: lock timeout; may be infinite.
            give_up: polled while waiting; True stops waiting.

        Raises:
            JournalBusyError: another program holds the lock.
        """
        return self._database.transaction(patience_seconds, give_up)

    def close(self) -> None:
        """Close the file, and remove it if temporary. Idempotent."""
        self._database.close()
        if self._folder is not None:
            self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
