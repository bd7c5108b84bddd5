"""The report: what was seen, kept and asked, as one HTML file that needs nothing else."""

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
    """Where a report is and how large it is."""

    path: Path
    num_bytes: int
    num_clips: int


def write_report(journal: Journal, out: str | PathLike[str], stream: StreamRecord | None = None) -> WrittenReport:
    """Write the report on a stream; of its pictures there are never more than one clip's in memory.

    Args:
        journal: has the stream, which may still be watched.
        out: path of the HTML file; one that exists is replaced in one step, its folder must exist.
        stream: which one; the newest if None.

    Raises:
        JournalError: the journal has no stream, or cannot be read.
        KeepsightError: the file cannot be written.
    """
    report, path = collect_report(journal, stream), Path(out)
    try:
        num_bytes = write_whole(path, (part.encode("utf-8") for part in report_parts(report)))
    except OSError as error:
        raise KeepsightError(f"cannot write the report {path}: {error.strerror}") from error
    return WrittenReport(path, num_bytes, len(report.clips))
