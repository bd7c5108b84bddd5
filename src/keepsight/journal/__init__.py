"""The durable long-term store of what was seen, in one SQLite file."""

from keepsight.journal.journal import Journal
from keepsight.journal.quota import Quota, Removed, apply_quota
from keepsight.journal.records import (
    AnswerRecord,
    CaptionRecord,
    ClipRecord,
    EndReason,
    GapRecord,
    StreamPosition,
    StreamRecord,
)
from keepsight.journal.stream_lock import StreamLock
from keepsight.journal.thumbnails import contact_sheet, split_sheet

__all__ = [
    "AnswerRecord",
    "CaptionRecord",
    "ClipRecord",
    "EndReason",
    "GapRecord",
    "Journal",
    "Quota",
    "Removed",
    "StreamLock",
    "StreamPosition",
    "StreamRecord",
    "apply_quota",
    "contact_sheet",
    "split_sheet",
]
