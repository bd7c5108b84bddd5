"""The durable long-term store: one SQLite file that outlives the process that writes it."""

from contextlib import AbstractContextManager
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Self

from keepsight.errors import SettingError
from keepsight.journal.alerts import AlertTable
from keepsight.journal.answers import AnswerTable
from keepsight.journal.clips import ClipTable
from keepsight.journal.database import Database
from keepsight.journal.deliveries import DeliveryTable
from keepsight.journal.gaps import GapTable
from keepsight.journal.memory_snapshot import MemoryTable
from keepsight.journal.standing import StandingTable
from keepsight.journal.storage import StorageTable
from keepsight.journal.streams import StreamTable


class Journal:
    """What was seen, when, what was kept of it, and what was asked.

    A write is on disk when the call that makes it returns (write-ahead log, `synchronous=FULL`). Other processes may
    read, and add questions, while a stream is being watched. Threads may share one journal.

        with Journal.open("kitchen.db") as journal:
            stream = journal.streams.latest()
            for caption in journal.clips.captions(stream.id):
                print(caption.span, caption.caption)

    Attributes:
        streams: sources watched, how they ended.
        clips: captions, spans, embeddings, scores, pictures.
        gaps: what was not seen.
        answers: questions and answers.
        alerts: what became so of standing questions.
        standing: questions that every new caption is checked against, and how far.
        deliveries: alerts that are still to be sent to webhooks.
        memory: the visual memory as it stands.
        storage: how many bytes the rows take, and what may be removed of them (see `quota.apply_quota`).
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.streams = StreamTable(database)
        self.clips = ClipTable(database)
        self.gaps = GapTable(database)
        self.answers = AnswerTable(database)
        self.alerts = AlertTable(database)
        self.standing = StandingTable(database, self.alerts)
        self.deliveries = DeliveryTable(database)
        self.memory = MemoryTable(database)
        self.storage = StorageTable(database)

    @classmethod
    def create(cls, path: str | PathLike[str], *, max_bytes: int | None = None) -> Self:
        """Open a journal for writing, making it if it is missing and bringing an older one up to date.

        Of an older one a copy is written first, named after its version: `kitchen.db.v1.bak`.

        Args:
            path: the file.
            max_bytes: the file never grows beyond this; writes then fail. None for no limit.

        Raises:
            NotAJournalError: the file is something else; it is left as it was.
            JournalTooNewError: a later version of Keepsight wrote it.
            JournalWriteError: it cannot be created or written, or the copy of an older one cannot.
            SettingError: `max_bytes` is less than 1.
        """
        if max_bytes is not None and max_bytes < 1:
            raise SettingError(f"max_bytes must be at least 1, not {max_bytes}")
        return cls(Database(Path(path), create=True, max_bytes=max_bytes))

    @classmethod
    def open(cls, path: str | PathLike[str], *, read_only: bool = False) -> Self:
        """Open a journal that exists.

        Args:
            path: the file.
            read_only: never write; recording an answer then raises `JournalWriteError`.

        Raises:
            JournalNotFoundError: there is no such file.
            NotAJournalError, JournalTooNewError, JournalWriteError: as for `create`.
        """
        return cls(Database(Path(path), read_only=read_only))

    @property
    def path(self) -> Path:
        """The file."""
        return self._database.path

    @property
    def is_read_only(self) -> bool:
        """Whether nothing can be written through this journal."""
        return self._database.read_only

    def transaction(self) -> AbstractContextManager[None]:
        """All writes inside are on disk together when it ends, or none are."""
        return self._database.transaction()

    def close(self) -> None:
        """Close the file. A second call does nothing."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
