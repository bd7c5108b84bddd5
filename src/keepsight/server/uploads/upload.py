"""An upload, and how much there may be."""

from dataclasses import dataclass
from pathlib import Path

from keepsight.server.uploads.names import UPLOAD_SCHEME


@dataclass(frozen=True)
class UploadLimits:
    """How much clients may bring.

    Attributes:
        max_bytes: largest upload.
        max_uploads: of which no stream has been made yet.
        max_total_bytes: of all uploads, what is still to come of them included.
    """

    max_bytes: int
    max_uploads: int
    max_total_bytes: int


@dataclass(frozen=True)
class Upload:
    """A file that is being brought, or is whole.

    Attributes:
        id: made here.
        filename: what the client calls it, made harmless; only ever shown.
        num_bytes: of the whole file.
        path: where it lies.
        offset: bytes that are there.
    """

    id: str
    filename: str
    num_bytes: int
    path: Path
    offset: int

    @property
    def source(self) -> str:
        """What the journal calls it."""
        return f"{UPLOAD_SCHEME}{self.id}/{self.filename}"
