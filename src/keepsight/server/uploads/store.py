"""The uploads of a journal.

Nothing is kept in memory. Of each upload there is a file with what has come so far, whose size is the offset, and one
with what the client said of it; so an upload goes on after the server was stopped, or died.
"""

import json
import os
import re
import secrets
import shutil
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path, PurePosixPath

from starlette.exceptions import HTTPException

from keepsight.errors import DiskFullError
from keepsight.server.failures import conflict, too_many
from keepsight.server.media_types import VIDEO_TYPES
from keepsight.server.uploads.disk import written
from keepsight.server.uploads.names import harmless_name, upload_id_of
from keepsight.server.uploads.upload import Upload, UploadLimits
from keepsight.server.uploads.writing import no_such_upload, writing
from keepsight.sources.address import SourceAddress, SourceKind

UNUSED_SECONDS = 86_400.0
"""An upload of which no stream was made is removed so long after its last chunk."""

_ID = re.compile(r"[0-9a-f]{32}")


class UploadStore:
    """The uploads of a journal. All methods may be called from any thread.

    Args:
        folder: where they lie; made with the first.
        limits: how much may be brought.
        is_used: whether there is a stream of a source's name.
        now: seconds since 1970.
    """

    def __init__(
        self,
        folder: Path,
        limits: UploadLimits,
        is_used: Callable[[str], bool],
        now: Callable[[], float] = time.time,
    ) -> None:
        self.folder = Path(os.path.realpath(folder))
        self.limits = limits
        self._is_used = is_used
        self._now = now
        self._lock = threading.Lock()

    def begin(self, filename: str, num_bytes: int) -> Upload:
        """A place for a file that is to come.

        Raises:
            DiskFullError: the disk has not so much room.
            JournalWriteError: the folder cannot be written to.
            HTTPException: 413, it is larger than is allowed; 429, there are too many, or too much.
        """
        if num_bytes > self.limits.max_bytes:
            message = f"an upload has at most {self.limits.max_bytes} bytes"
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message)
        name = harmless_name(filename)
        suffix = PurePosixPath(name).suffix.lower()
        with self._lock, written():
            self.folder.mkdir(mode=0o700, exist_ok=True)
            self._remove_unused()
            self._check_room(num_bytes)
            upload_id = secrets.token_hex(16)
            path = self.folder / (upload_id + (suffix if suffix in VIDEO_TYPES else ""))
            said = json.dumps({"filename": name, "num_bytes": num_bytes, "path": path.name})
            path.touch(mode=0o600, exist_ok=False)
            part = self._description(upload_id).with_suffix(".part")
            part.write_text(said, encoding="utf-8")
            part.replace(self._description(upload_id))
        return Upload(upload_id, name, num_bytes, path, 0)

    def get(self, upload_id: str) -> Upload:
        """The upload with an id, which may be any text.

        Raises:
            HTTPException: 404, there is none, or no longer.
        """
        found = self._read(upload_id) if _ID.fullmatch(upload_id) else None
        if found is None:
            raise no_such_upload()
        return found

    def discard(self, upload_id: str) -> None:
        """Remove an upload of which there is no stream.

        Raises:
            HTTPException: 404; 409, there is a stream, or it is being written.
        """
        upload = self.get(upload_id)
        if self._is_used(upload.source):
            raise conflict("there is a stream of this upload: remove that")
        with writing(upload, upload.path.stat().st_size):
            self._remove(upload)

    def forget(self, source: str) -> None:
        """A stream of a source was removed, or none could be made: if it was the last of an upload, that goes, too."""
        upload_id = upload_id_of(source)
        found = self._read(upload_id) if upload_id else None
        if found is not None and not self._is_used(source):
            self._remove(found)

    def address_of(self, source: str) -> SourceAddress:
        """Where the source of an upload is read.

        Raises:
            HTTPException: 404; 409, it is not whole yet.
        """
        upload = self.get(upload_id_of(source))
        if upload.offset < upload.num_bytes:
            raise conflict(f"{upload.offset} of the upload's {upload.num_bytes} bytes are there")
        return SourceAddress(SourceKind.FILE, str(upload.path), upload.source)

    def without_paths(self, text: str) -> str:
        """A message as clients may see it: they know nothing of the folder."""
        return re.sub(re.escape(str(self.folder)) + r"/[0-9a-f]{32}[.\w]*", "the upload", text)

    def _description(self, upload_id: str) -> Path:
        return self.folder / f"{upload_id}.json"

    def _read(self, upload_id: str) -> Upload | None:
        try:
            said = json.loads(self._description(upload_id).read_text(encoding="utf-8"))
            path = self.folder / said["path"]
            return Upload(upload_id, said["filename"], said["num_bytes"], path, path.stat().st_size)
        except (OSError, ValueError, KeyError):  # not there, or what a power cut left of it
            return None

    def _all(self) -> list[Upload]:
        found = (self._read(path.stem) for path in self.folder.glob("*.json") if _ID.fullmatch(path.stem))
        return [upload for upload in found if upload is not None]

    def _check_room(self, num_bytes: int) -> None:
        uploads = self._all()
        unused = [upload for upload in uploads if not self._is_used(upload.source)]
        if len(unused) >= self.limits.max_uploads:
            raise too_many(f"{len(unused)} uploads wait for a stream, which is the most: watch or remove one of them")
        total = sum(upload.num_bytes for upload in uploads)
        if total + num_bytes > self.limits.max_total_bytes:
            raise too_many(
                f"all uploads have {total} of at most {self.limits.max_total_bytes} bytes: remove a stream of one"
            )
        to_come = sum(upload.num_bytes - upload.offset for upload in unused)
        if num_bytes + max(0, to_come) > shutil.disk_usage(self.folder).free:
            raise DiskFullError(f"the disk has no room for {num_bytes} bytes")

    def _remove_unused(self) -> None:
        """Remove what nobody went on with, and what a power cut left."""
        for path in list(self.folder.iterdir()):
            upload_id = path.name[:32]
            is_there = _ID.fullmatch(upload_id) is not None and path.exists()  # not gone with its description
            if not is_there or self._now() - path.stat().st_mtime < UNUSED_SECONDS:
                continue
            upload = self._read(upload_id)
            if upload is None:
                path.unlink(missing_ok=True)
            elif self._now() - upload.path.stat().st_mtime >= UNUSED_SECONDS and not self._is_used(upload.source):
                self._remove(upload)

    def _remove(self, upload: Upload) -> None:
        with written():
            upload.path.unlink(missing_ok=True)
            self._description(upload.id).unlink(missing_ok=True)
