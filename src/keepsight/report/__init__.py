"""The report: what was seen, kept and asked, as one HTML file that needs nothing else."""

from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from keepsight.errors import KeepsightError
from keepsight.journal import Journal
from keepsight.report.collect import collect_report
from keepsight.report.page import render_report
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
    "write_report",
]


@dataclass(frozen=True)
class WrittenReport:
    """Where a report is and how large it is."""

    path: Path
    num_bytes: int
    num_clips: int


def write_report(journal: str | PathLike[str], out: str | PathLike[str]) -> WrittenReport:
    """Write the report on a journal's newest stream.

    Args:
        journal: path of the journal, which is only read.
        out: path of the HTML file; one that exists is replaced in one step, its folder must exist.

    Raises:
        JournalError: the journal is missing, none, empty, or of a later version.
        KeepsightError: the file cannot be written.
    """
    with Journal.open(journal, read_only=True) as opened:
        report = collect_report(opened)
    content = render_report(report).encode("utf-8")
    path = Path(out)
    try:
        write_whole(path, content)
    except OSError as error:
        raise KeepsightError(f"cannot write the report {path}: {error.strerror}") from error
    return WrittenReport(path, len(content), len(report.clips))
