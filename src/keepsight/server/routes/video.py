"""The video of a stream itself, for players that jump in it: byte ranges as in RFC 9110, section 14."""

import os
import re
import stat
from collections.abc import Iterator, Mapping
from email.utils import formatdate
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Header
from fastapi.responses import Response, StreamingResponse
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from keepsight.server.media_types import video_type
from keepsight.server.routes.context import Service, Stream, refusals

router = APIRouter(prefix="/v1/streams/{stream_id}", tags=["clips"])

_READ_AT_ONCE = 256 << 10
_ONE_RANGE = re.compile(r"bytes=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*", re.IGNORECASE | re.ASCII)
_TYPES: dict[str, dict[str, object]] = {"video/mp4": {}, "video/webm": {}, "application/octet-stream": {}}


class OpenFile:
    """A file that is being sent: looked at and read by one descriptor, so that it cannot be another one in between.

    Args:
        path: of a file that may be shown.

    Raises:
        HTTPException: 404, it is no file, or cannot be read.
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
        self.modified = formatdate(found.st_mtime, usegmt=True)
        self.tag = f'"{found.st_mtime_ns:x}-{found.st_size:x}"'

    def pieces(self, first: int, end: int) -> Iterator[bytes]:
        """The bytes from `first` up to `end`."""
        self._file.seek(first)
        while first < end and (piece := self._file.read(min(_READ_AT_ONCE, end - first))):
            first += len(piece)
            yield piece

    def close(self) -> None:
        """Close the file. A second call does nothing."""
        self._file.close()


class VideoPart(StreamingResponse):
    """A part of a file, which is closed whatever becomes of the client.

    Args:
        file: what is sent of.
        first: the first byte.
        end: behind the last one.
        status: of the answer.
        headers: of the answer.
        media_type: of the file.
    """

    def __init__(
        self, file: OpenFile, first: int, end: int, status: HTTPStatus, headers: Mapping[str, str], media_type: str
    ) -> None:
        super().__init__(file.pieces(first, end), status, headers, media_type)
        self._file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, or of it the head alone."""
        try:
            if scope["method"] == "HEAD":
                await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                await send({"type": "http.response.body", "body": b""})
                return
            await super().__call__(scope, receive, send)
        finally:
            self._file.close()


def no_video() -> HTTPException:
    """What is answered where there is no file to be shown."""
    return HTTPException(HTTPStatus.NOT_FOUND, "the stream has no video file that can be shown")


def range_of(header: str, num_bytes: int) -> tuple[int, int] | None:
    """First byte and end of the one range that is asked for.

    Args:
        header: `Range`. Several ranges, other units and what is malformed are passed over, as the RFC lets a server.
        num_bytes: of the file.

    Returns:
        None where the whole file is to be sent.

    Raises:
        HTTPException: 416, the file has none of the bytes.
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


Range = Annotated[str | None, Header(max_length=1000, description="One range of bytes.", examples=["bytes=0-1023"])]
IfRange = Annotated[
    str | None,
    Header(max_length=200, description="Only if it is this ETag or date.", examples=['"5f1d-186a0"']),
]


@router.head("/video", include_in_schema=False)
@router.get(
    "/video",
    response_class=Response,
    responses={200: {"content": _TYPES}, 206: {"content": _TYPES}, **refusals(403, 404, 416, 422)},
)
def video(stream: Stream, service: Service, range: Range = None, if_range: IfRange = None) -> Response:
    """The file that is watched, or a range of it, where it lies on the server's machine or was uploaded."""
    path, name = service.sources.file_of(stream.source)
    file = OpenFile(path)
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
    return VideoPart(file, first, end, status, headers, video_type(name))
