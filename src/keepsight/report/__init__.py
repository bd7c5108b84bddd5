"""The report: captions, kept tokens and answers as one standalone HTML file."""

from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from keepsight.errors import KeepsightError, SettingError
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


_START = b"<!doctype html>"


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
        SettingError: another file is at the path, such as the video itself.
        KeepsightError: writing failed.
    """
    path = Path(out)
    _check_replaceable(path)
    report = collect_report(journal, stream)
    try:
        num_bytes = write_whole(path, (part.encode("utf-8") for part in report_parts(report)))
    except OSError as error:
        raise KeepsightError(f"cannot write the report {path}: {error.strerror}") from error
    return WrittenReport(path, num_bytes, len(report.clips))


def _check_replaceable(path: Path) -> None:
    """Refuse to replace a file that is no web page."""
    if not path.is_file():
        return
    try:
        with path.open("rb") as file:
            start = file.read(len(_START))
    except OSError as error:
        raise KeepsightError(f"cannot write the report {path}: {error.strerror}") from error
    if start and start.lower() != _START:
        raise SettingError(f"{path} exists and is not a report; give the report another name")
