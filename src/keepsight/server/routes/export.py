"""A whole stream as a file."""

from collections.abc import Iterator
from dataclasses import replace
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from keepsight.journal import CaptionRecord, StreamRecord
from keepsight.report import collect_report, report_parts
from keepsight.server.access.limits import Slots
from keepsight.server.export import srt_lines, vtt_lines
from keepsight.server.routes.context import Service, Stream, from_app, refusals
from keepsight.server.streams.service import StreamService
from keepsight.server.views.answers import past_answer_view
from keepsight.server.views.clips import clip_view, gap_view
from keepsight.server.views.streams import stream_view

router = APIRouter(prefix="/v1/streams/{stream_id}", tags=["export"])

_CLIPS_AT_ONCE = 500


class Format(StrEnum):
    """What a stream can be exported as."""

    JSON = "json"
    VTT = "vtt"
    SRT = "srt"
    REPORT = "report"


Reports = Annotated[Slots, from_app("reports")]


class ReportFile(StreamingResponse):
    """A report, written while it is sent: no more than one clip's pictures are in memory at a time.

    Args:
        service: has the stream.
        stream: what it is on.
        headers: of the answer.
        reports: a place among these is taken already, and given back at the end, whoever ended it.
    """

    def __init__(self, service: StreamService, stream: StreamRecord, headers: dict[str, str], reports: Slots) -> None:
        super().__init__(_report_parts(service, stream), headers=headers, media_type="text/html")
        self._reports = reports

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
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
    """Captions with their times; as JSON also the stream, its gaps, and its questions with answers.

    `report` is one HTML file with all of that to look at: timeline, pictures, what was kept, answers.
    """
    # The name is made of the id alone: what a source is called is no one's header.
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
    return StreamingResponse(lines, media_type=media_type, headers=headers)


def _captions(service: StreamService, stream_id: str) -> Iterator[CaptionRecord]:
    """All captions, a few hundred in memory at a time."""
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
    yield from _joined(clip_view(clip).model_dump_json() for clip in captions)
    yield '], "gaps": ['
    yield from _joined(gap_view(gap).model_dump_json() for gap in service.journal.gaps.of(stream.id))
    yield '], "questions": ['
    yield from _joined(past_answer_view(one).model_dump_json() for one in service.journal.answers.of(stream.id))
    yield "]}\n"


def _joined(parts: Iterator[str]) -> Iterator[str]:
    for number, part in enumerate(parts):
        yield f",\n{part}" if number else f"\n{part}"
