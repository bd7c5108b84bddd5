"""How long a file is while it is read: another program may cut it, replace it or delete it meanwhile."""

from dataclasses import dataclass
from pathlib import Path

from keepsight.errors import SourceNotFoundError
from keepsight.video.structure import missing_bytes
from keepsight.video.wording import one_line


@dataclass(frozen=True)
class FileExtent:
    """A file as it was when reading began.

    Attributes:
        path: where it lies.
        identity: device and number of the file, by which another one at the same path is told from it.
        num_bytes: its length.
        is_cut_off: whether it is shorter than its own container says.
    """

    path: Path
    identity: tuple[int, int]
    num_bytes: int
    is_cut_off: bool

    @classmethod
    def of(cls, path: Path) -> "FileExtent":
        """That of a file that is open.

        Raises:
            SourceNotFoundError: it was deleted just now.
        """
        try:
            stat = path.stat()
            return cls(path, (stat.st_dev, stat.st_ino), stat.st_size, missing_bytes(path) > 0)
        except OSError as error:
            raise SourceNotFoundError(f"{one_line(path)} is gone: {error.strerror}") from error

    def lacks_bytes(self) -> bool:
        """Whether the file lacks its end now. One that was deleted or replaced stays whole for who has it open."""
        try:
            stat = self.path.stat()
            is_same = (stat.st_dev, stat.st_ino) == self.identity
            return is_same and (stat.st_size < self.num_bytes or missing_bytes(self.path) > 0)
        except OSError:
            return False
