"""Uploads of a journal.

Nothing is kept in memory. Each upload has a data file, whose size is the offset, and a description file, so an upload
resumes after the server was stopped or died.
"""

import json
import os
import re
import secrets
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from keepsight.errors import BusyError, ConflictError, DiskFullError, TooLargeError
from keepsight.hub.media_types import VIDEO_TYPES
from keepsight.hub.uploads.upload import Upload, UploadLimits, harmless_name, upload_id_of, written
from keepsight.hub.uploads.writing import no_such_upload, writing
from keepsight.sources.address import SourceAddress, SourceKind
from keepsight.whole_file import open_private

UNUSED_SECONDS = 86_400.0
"""Remove an upload without a stream this long after its last chunk."""

_ID = re.compile(r"[0-9a-f]{32}")


class UploadStore:
    """Uploads of a journal. Thread-safe.

    Args:
        folder: folder of uploads, created with the first.
        limits: upload limits.
        is_used: whether a stream has a source name.
        now: Unix time in seconds.
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
        """Start an upload.

        Raises:
            DiskFullError: not enough disk space.
            JournalWriteError: the folder is not writable.
            TooLargeError: it exceeds the limit.
            BusyError: the limit of uploads, or of their total size, is reached.
        """
        if num_bytes > self.limits.max_bytes:
            message = f"an upload must have at most {self.limits.max_bytes} bytes"
            raise TooLargeError(message)
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
            with open_private(part) as file:
                file.write(said.encode())
            part.replace(self._description(upload_id))
        return Upload(upload_id, name, num_bytes, path, 0)

    def get(self, upload_id: str) -> Upload:
        """Upload by id, which may be any text.

        Raises:
            NotFoundError: it does not exist.
        """
        found = self._read(upload_id) if _ID.fullmatch(upload_id) else None
        if found is None:
            raise no_such_upload()
        return found

    def discard(self, upload_id: str) -> None:
        """Remove an upload that has no stream.

        Raises:
            NotFoundError: it does not exist.
            ConflictError: a stream uses it, or it is being written.
        """
        upload = self.get(upload_id)
        if self._is_used(upload.source):
            raise ConflictError("a stream uses this upload; remove the stream instead")
        with writing(upload, upload.path.stat().st_size):
            self._remove(upload)

    def forget(self, source: str) -> None:
        """Remove an upload if no stream uses it any more."""
        upload_id = upload_id_of(source)
        found = self._read(upload_id) if upload_id else None
        if found is not None and not self._is_used(source):
            self._remove(found)

    def address_of(self, source: str) -> SourceAddress:
        """Address from which an upload is read.

        Raises:
            NotFoundError: it does not exist.
            ConflictError: it is incomplete.
        """
        upload = self.get(upload_id_of(source))
        if upload.offset < upload.num_bytes:
            raise ConflictError(f"the upload is incomplete: {upload.offset} of {upload.num_bytes} bytes received")
        return SourceAddress(SourceKind.FILE, str(upload.path), upload.source)

    def without_paths(self, text: str) -> str:
        """Remove server paths from a message shown to clients."""
        return re.sub(re.escape(str(self.folder)) + r"/[0-9a-f]{32}[.\w]*", "the upload", text)

    def _description(self, upload_id: str) -> Path:
        return self.folder / f"{upload_id}.json"

    def _read(self, upload_id: str) -> Upload | None:
        try:
            said = json.loads(self._description(upload_id).read_text(encoding="utf-8"))
            path = self.folder / said["path"]
            return Upload(upload_id, said["filename"], said["num_bytes"], path, path.stat().st_size)
        except (OSError, ValueError, KeyError):  # removed, or damaged by a power cut
            return None

    def _all(self) -> list[Upload]:
        found = (self._read(path.stem) for path in self.folder.glob("*.json") if _ID.fullmatch(path.stem))
        return [upload for upload in found if upload is not None]

    def _check_room(self, num_bytes: int) -> None:
        uploads = self._all()
        unused = [upload for upload in uploads if not self._is_used(upload.source)]
        if len(unused) >= self.limits.max_uploads:
            raise BusyError(f"upload limit reached ({len(unused)} without a stream); watch or remove one first")
        total = sum(upload.num_bytes for upload in uploads)
        if total + num_bytes > self.limits.max_total_bytes:
            raise BusyError(
                f"upload space limit reached ({total} of {self.limits.max_total_bytes} bytes); remove an "
                "uploaded stream first"
            )
        to_come = sum(upload.num_bytes - upload.offset for upload in unused)
        if num_bytes + max(0, to_come) > shutil.disk_usage(self.folder).free:
            raise DiskFullError(f"not enough disk space for {num_bytes} bytes")

    def _remove_unused(self) -> None:
        """Remove stale uploads, and leftovers of power cuts."""
        for path in list(self.folder.iterdir()):
            upload_id = path.name[:32]
            is_there = _ID.fullmatch(upload_id) is not None and path.exists()  # removed together with its description
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
