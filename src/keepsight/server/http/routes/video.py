"""Video of a stream for seeking players: byte ranges as in RFC 9110, section 14."""

import os
import re
import stat
from collections.abc import AsyncIterator, Mapping
from email.utils import formatdate
from http import HTTPStatus
from typing import Annotated

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Header
from fastapi.responses import Response, StreamingResponse
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from keepsight.errors import ConflictError, KeepsightError, NotFoundError, VideoError
from keepsight.hub.media_types import video_type
from keepsight.hub.service import StreamService
from keepsight.journal import StreamRecord
from keepsight.server.http.access.players import Players, client_of
from keepsight.server.http.routes.context import PlayersNow, Service, Stream, refusals

router = APIRouter(prefix="/v1/streams/{stream_id}", tags=["clips"])

_READ_AT_ONCE = 64 << 10
_ONE_RANGE = re.compile(r"bytes=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*", re.IGNORECASE | re.ASCII)
_TYPES: dict[str, dict[str, object]] = {"video/mp4": {}, "video/webm": {}, "application/octet-stream": {}}


class OpenFile:
    """A file being sent, inspected and read through one descriptor, so it cannot be swapped in between.

    Args:
        path: path of a file that may be played.

    Raises:
        NotFoundError: it is not a readable file.
    """

    def __init__(self, path: str) -> None:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except (OSError, ValueError):
            raise no_video() from None
        self._file = os.fdopen(descriptor, "rb", buffering=0)
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            self._file.close()
            raise no_video()
        self.num_bytes = found.st_size
        self.version = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        self.modified = formatdate(found.st_mtime, usegmt=True)
        self.tag = f'"{found.st_mtime_ns:x}-{found.st_size:x}"'

    def read(self, offset: int, length: int) -> bytes:
        """Read up to `length` bytes (`sources.identity.Readable`)."""
        data = b""
        while piece := os.pread(self._file.fileno(), length - len(data), offset + len(data)):
            data += piece
        return data

    async def pieces(self, first: int, end: int, readers: CapacityLimiter) -> AsyncIterator[bytes]:
        """Bytes from `first` up to `end`, read in a few dedicated threads, so a slow disk does not block other
        requests.
        """
        descriptor = self._file.fileno()
        while first < end:
            num_bytes = min(_READ_AT_ONCE, end - first)
            piece = await to_thread.run_sync(os.pread, descriptor, num_bytes, first, limiter=readers)
            if not piece:
                return
            first += len(piece)
            yield piece

    def close(self) -> None:
        """Close the file. Idempotent."""
        self._file.close()


class VideoPart(StreamingResponse):
    """Part of a file, which is closed when the response ends for any reason.

    Args:
        file: file to send from.
        first: the first byte.
        end: after the last byte.
        status: of the response.
        headers: of the response.
        media_type: of the file.
        players: limiter of players; the response takes a place.
    """

    def __init__(
        self,
        file: OpenFile,
        first: int,
        end: int,
        status: HTTPStatus,
        headers: Mapping[str, str],
        media_type: str,
        players: Players,
    ) -> None:
        super().__init__(file.pieces(first, end, players.readers), status, headers, media_type)
        self._file = file
        self._players = players

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the part, or only the headers.

        Raises:
            BusyError: the player limit is reached.
        """
        try:
            if scope["method"] == "HEAD":
                await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                await send({"type": "http.response.body", "body": b""})
                return
            await self._play(scope, receive, send)
        finally:
            self._file.close()

    async def _play(self, scope: Scope, receive: Receive, send: Send) -> None:
        player = self._players.begin(client_of(scope), scope.get("client"))

        async def send_and_note(message: Message) -> None:
            await send(message)
            self._players.took(player)

        try:
            await super().__call__(scope, receive, send_and_note)
        finally:
            self._players.end(player)


def no_video() -> NotFoundError:
    """Error if there is no file to play."""
    return NotFoundError("the stream has no video file to play")


def range_of(header: str, num_bytes: int) -> tuple[int, int] | None:
    """Start and end of the requested byte range.

    Args:
        header: `Range`. Multiple ranges, other units and malformed values are ignored, as the RFC permits.
        num_bytes: size of the file.

    Returns:
        None to send the whole file.

    Raises:
        HTTPException: 416, the range is outside the file.
    """
    match = _ONE_RANGE.fullmatch(header)
    if match is None or match.groups() == ("", ""):
        return None
    first_text, last_text = match.groups()
    if not first_text:
        first, end = max(0, num_bytes - int(last_text)), num_bytes
    else:
        first = int(first_text)
        end = min(int(last_text) + 1, num_bytes) if last_text else num_bytes
        if last_text and int(last_text) < first:
            return None
    if first >= num_bytes:
        unsatisfied = {"Content-Range": f"bytes */{num_bytes}"}
        raise HTTPException(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, f"the video has {num_bytes} bytes", unsatisfied)
    return first, end


Range = Annotated[str | None, Header(max_length=1000, description="One byte range.", examples=["bytes=0-1023"])]
IfRange = Annotated[
    str | None,
    Header(max_length=200, description="Serve the range only if the ETag or date matches.", examples=['"5f1d-186a0"']),
]


def original_of(service: StreamService, stream: StreamRecord) -> tuple[OpenFile, str]:
    """Watched file of a stream, under the first of its names that still exists, and its name.

    Raises:
        AddressRefusedError: it is outside the roots.
        NotFoundError: no file exists.
        ConflictError: it was replaced by another file.
    """
    refused: list[KeepsightError] = []
    for name in stream.names:
        try:
            path, file_name = service.sources.file_of(name)
            file = OpenFile(path)
        except (NotFoundError, VideoError) as error:
            refused.append(error)
            continue
        try:
            if service.sources.originals.is_original(stream, file):
                return file, file_name
        except OSError:
            refused.append(no_video())
        else:
            refused.append(ConflictError("the file was replaced after it was watched; watch it again to play it"))
        file.close()
    raise refused[0]


@router.head("/video", include_in_schema=False)
@router.get(
    "/video",
    response_class=Response,
    responses={200: {"content": _TYPES}, 206: {"content": _TYPES}, **refusals(403, 404, 409, 416, 422, 429)},
)
def video(
    stream: Stream, service: Service, players: PlayersNow, range: Range = None, if_range: IfRange = None
) -> Response:
    """Send the watched file or a byte range, if it is on the server's machine or was uploaded.

    Returns 409 if the file was replaced since it was watched.
    """
    file, name = original_of(service, stream)
    try:
        wanted = None
        if range is not None and if_range in (None, file.tag, file.modified):
            wanted = range_of(range, file.num_bytes)
    except HTTPException:
        file.close()
        raise
    first, end = wanted or (0, file.num_bytes)
    headers = {
        "Accept-Ranges": "bytes",
        "Content-Length": str(end - first),
        "ETag": file.tag,
        "Last-Modified": file.modified,
        "Cache-Control": "private, no-cache",
    }
    if wanted is not None:
        headers["Content-Range"] = f"bytes {first}-{end - 1}/{file.num_bytes}"
    status = HTTPStatus.OK if wanted is None else HTTPStatus.PARTIAL_CONTENT
    return VideoPart(file, first, end, status, headers, video_type(name), players)
