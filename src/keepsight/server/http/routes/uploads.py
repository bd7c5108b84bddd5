"""Resumable uploads in chunks."""

from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Header, Path, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from starlette.requests import ClientDisconnect

from keepsight.hub.uploads.upload import Upload
from keepsight.hub.uploads.writing import UploadWriter, writing
from keepsight.server.http.access.bodies import CHUNK_BYTES
from keepsight.server.http.routes.context import LARGEST_INDEX, Service, refusals
from keepsight.server.http.views.requests import Asked

router = APIRouter(prefix="/v1/uploads", tags=["uploads"])

_WRITTEN_AT_ONCE = 1 << 20

UploadId = Annotated[str, Path(examples=["0f5c1e2d3b4a59687786958493a2b1c0"])]


class NewUpload(Asked):
    """File to upload."""

    filename: str = Field(
        min_length=1, max_length=1000, examples=["kitchen.mp4"], description="File name, for display only."
    )
    num_bytes: int = Field(ge=1, le=LARGEST_INDEX, examples=[73_400_320])


class UploadView(BaseModel):
    """Progress of an upload."""

    id: str = Field(examples=["0f5c1e2d3b4a59687786958493a2b1c0"])
    filename: str
    num_bytes: int
    offset: int = Field(description="Bytes received: offset of the next chunk.")


@router.post("", status_code=HTTPStatus.CREATED, response_model=UploadView, responses=refusals(413, 422, 429, 503, 507))
def begin(asked: NewUpload, service: Service) -> JSONResponse:
    """Start an upload; send chunks with PATCH. An upload without a stream is removed after a day."""
    return _upload_response(service.sources.uploads.begin(asked.filename, asked.num_bytes), HTTPStatus.CREATED)


@router.get("/{upload_id}", response_model=UploadView, responses=refusals(404))
def show(upload_id: UploadId, service: Service) -> JSONResponse:
    """Show the progress of an upload, also after a server restart."""
    return _upload_response(service.sources.uploads.get(upload_id))


@router.head("/{upload_id}", response_class=Response, responses=refusals(404))
def head(upload_id: UploadId, service: Service) -> Response:
    """Return the progress of an upload in the header Upload-Offset."""
    return _upload_response(service.sources.uploads.get(upload_id))


@router.patch(
    "/{upload_id}",
    response_model=UploadView,
    responses=refusals(404, 408, 409, 413, 422, 503, 507),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def append(
    upload_id: UploadId,
    request: Request,
    service: Service,
    upload_offset: Annotated[
        int, Header(ge=0, le=LARGEST_INDEX, description="Offset of the chunk, in bytes.", examples=[0])
    ],
) -> Response:
    """Append a chunk of at most 8 MiB. Data of an interrupted chunk is kept; query the offset to resume.

    Returns 409 with the expected offset in the header Upload-Offset if the chunk starts elsewhere.
    """
    upload = await run_in_threadpool(service.sources.uploads.get, upload_id)
    with writing(upload, upload_offset) as writer:
        announced = request.headers.get("content-length", "")
        if announced.isdigit() and int(announced) <= CHUNK_BYTES:
            writer.check_fits(int(announced))
        try:
            await _append(writer, request.stream())
        except ClientDisconnect:
            return Response(status_code=HTTPStatus.BAD_REQUEST)  # the client is gone
    return _upload_response(await run_in_threadpool(service.sources.uploads.get, upload_id))


@router.delete("/{upload_id}", status_code=HTTPStatus.NO_CONTENT, responses=refusals(404, 409))
def discard(upload_id: UploadId, service: Service) -> None:
    """Delete an upload that no stream uses; a stream's upload is deleted with the stream."""
    service.sources.uploads.discard(upload_id)


async def _append(writer: UploadWriter, pieces: AsyncIterator[bytes]) -> None:
    """Write chunks as they arrive; data before an error is kept."""
    waiting = bytearray()
    try:
        async for piece in pieces:
            writer.check_fits(len(waiting) + len(piece))
            waiting += piece
            if len(waiting) >= _WRITTEN_AT_ONCE:
                whole, waiting = bytes(waiting), bytearray()
                await run_in_threadpool(writer.write, whole)
    finally:
        if waiting:
            await run_in_threadpool(writer.write, bytes(waiting))


def _upload_response(upload: Upload, status: HTTPStatus = HTTPStatus.OK) -> JSONResponse:
    view = UploadView(id=upload.id, filename=upload.filename, num_bytes=upload.num_bytes, offset=upload.offset)
    return JSONResponse(view.model_dump(), status, {"Upload-Offset": str(upload.offset)})
