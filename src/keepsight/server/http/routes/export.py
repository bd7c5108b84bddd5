"""Export of a stream as a file."""

from collections.abc import Iterator
from dataclasses import replace
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from keepsight.hub.limiter import Limiter
from keepsight.hub.service import StreamService
from keepsight.journal import CaptionRecord, StreamRecord
from keepsight.report import collect_report, report_parts
from keepsight.server.http.export import in_pieces, srt_lines, vtt_lines
from keepsight.server.http.routes.context import Service, Stream, from_app, refusals
from keepsight.server.http.views.answers import PastAnswerView
from keepsight.server.http.views.clips import ClipView, GapView
from keepsight.server.http.views.streams import stream_view

router = APIRouter(prefix="/v1/streams/{stream_id}", tags=["export"])

_CLIPS_AT_ONCE = 500


class Format(StrEnum):
    """Export format."""

    JSON = "json"
    VTT = "vtt"
    SRT = "srt"
    REPORT = "report"


Reports = Annotated[Limiter, from_app("reports")]


class ReportFile(StreamingResponse):
    """A report streamed while it is written; holds at most one clip's images in memory.

    Args:
        service: the hub.
        stream: stream to report.
        headers: response headers.
        reports: limiter whose slot the caller took; freed when the response ends.
    """

    def __init__(self, service: StreamService, stream: StreamRecord, headers: dict[str, str], reports: Limiter) -> None:
        super().__init__(in_pieces(_report_parts(service, stream)), headers=headers, media_type="text/html")
        self._reports = reports

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._reports.give_back()


@router.get(
    "/export",
    response_class=Response,
    responses={
        200: {"content": {"application/json": {}, "text/vtt": {}, "application/x-subrip": {}, "text/html": {}}},
        **refusals(404, 422, 429),
    },
)
def export(stream: Stream, service: Service, reports: Reports, format: Format = Format.JSON) -> StreamingResponse:
    """Export captions with times; JSON also has the stream, its gaps, and its questions with answers.

    `report` is a standalone HTML file of all that: timeline, images, kept tokens, answers.
    """
    # The file name uses only the id: a source name does not belong in a header.
    suffix = "html" if format is Format.REPORT else format.value
    headers = {"Content-Disposition": f'attachment; filename="keepsight-{stream.id}.{suffix}"'}
    if format is Format.REPORT:
        reports.take()
        return ReportFile(service, stream, headers, reports)
    captions = _captions(service, stream.id)
    if format is Format.VTT:
        lines, media_type = vtt_lines(captions), "text/vtt"
    elif format is Format.SRT:
        lines, media_type = srt_lines(captions), "application/x-subrip"
    else:
        lines, media_type = _json_parts(service, stream, captions), "application/json"
    return StreamingResponse(in_pieces(lines), media_type=media_type, headers=headers)


def _captions(service: StreamService, stream_id: str) -> Iterator[CaptionRecord]:
    """All captions, read in batches."""
    from_index = 0
    while found := service.journal.clips.captions_from(stream_id, from_index, _CLIPS_AT_ONCE):
        yield from found
        from_index = found[-1].clip_index + 1


def _report_parts(service: StreamService, stream: StreamRecord) -> Iterator[str]:
    report = collect_report(service.journal, stream)
    notes = [service.sources.uploads.without_paths(note) for note in report.notes]
    yield from report_parts(replace(report, notes=notes))


def _json_parts(service: StreamService, stream: StreamRecord, captions: Iterator[CaptionRecord]) -> Iterator[str]:
    """One JSON object in parts."""
    yield f'{{"stream": {stream_view(service, stream).model_dump_json()}, "clips": ['
    yield from _joined(ClipView.model_validate(clip).model_dump_json() for clip in captions)
    yield '], "gaps": ['
    yield from _joined(GapView.model_validate(gap).model_dump_json() for gap in service.journal.gaps.of(stream.id))
    yield '], "questions": ['
    yield from _joined(
        PastAnswerView.model_validate(one).model_dump_json() for one in service.journal.answers.of(stream.id)
    )
    yield "]}\n"


def _joined(parts: Iterator[str]) -> Iterator[str]:
    for number, part in enumerate(parts):
        yield f",\n{part}" if number else f"\n{part}"
