"""The durable long-term store of what was seen, in one SQLite file."""

from keepsight.journal.journal import Journal
from keepsight.journal.records import AnswerRecord, CaptionRecord, ClipRecord, EndReason, GapRecord, StreamRecord
from keepsight.journal.thumbnails import contact_sheet, split_sheet

__all__ = [
    "AnswerRecord",
    "CaptionRecord",
    "ClipRecord",
    "EndReason",
    "GapRecord",
    "Journal",
    "StreamRecord",
    "contact_sheet",
    "split_sheet",
]
