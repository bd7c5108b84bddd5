"""The report: captions, kept tokens and answers as one standalone HTML file."""

from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from keepsight.errors import KeepsightError
from keepsight.journal import Journal, StreamRecord
from keepsight.report.collect import collect_report
from keepsight.report.page import render_report, report_parts
from keepsight.report.records import ContactSheet, Report, ReportClip, ReportGap, ReportQuestion
from keepsight.whole_file import write_whole

__all__ = [
    "ContactSheet",
    "Report",
    "ReportClip",
    "ReportGap",
    "ReportQuestion",
    "WrittenReport",
    "collect_report",
    "render_report",
    "report_parts",
    "write_report",
]


@dataclass(frozen=True)
class WrittenReport:
    """Path and size of a written report."""

    path: Path
    num_bytes: int
    num_clips: int


def write_report(journal: Journal, out: str | PathLike[str], stream: StreamRecord | None = None) -> WrittenReport:
    """Write the report of a stream, holding at most one clip's images in memory.

    Args:
        journal: journal of the stream, which may still be active.
        out: path of the HTML file, replaced atomically; its folder must exist.
        stream: the stream; None for the newest.

    Raises:
        JournalError: the journal has no stream, or is unreadable.
        KeepsightError: writing failed.
    """
    report, path = collect_report(journal, stream), Path(out)
    try:
        num_bytes = write_whole(path, (part.encode("utf-8") for part in report_parts(report)))
    except OSError as error:
        raise KeepsightError(f"cannot write the report {path}: {error.strerror}") from error
    return WrittenReport(path, num_bytes, len(report.clips))
