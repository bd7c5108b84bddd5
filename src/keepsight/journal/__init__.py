"""Durable long-term store, in one SQLite file."""

from keepsight.journal.backup import Copied, copy_journal
from keepsight.journal.completeness import missing_note, nothing_left_note
from keepsight.journal.encoding import contact_sheet, split_sheet
from keepsight.journal.gaps import StoredGap
from keepsight.journal.journal import Journal
from keepsight.journal.naming import stream_named
from keepsight.journal.quota import Quota, Removed, apply_quota
from keepsight.journal.records import (
    AnswerRecord,
    CaptionRecord,
    ClipRecord,
    EndReason,
    GapRecord,
    ModelVersion,
    StillRun,
    StreamPosition,
    StreamRecord,
    WallClock,
)
from keepsight.journal.stream_lock import StreamLock

__all__ = [
    "AnswerRecord",
    "CaptionRecord",
    "ClipRecord",
    "Copied",
    "EndReason",
    "GapRecord",
    "Journal",
    "ModelVersion",
    "Quota",
    "Removed",
    "StillRun",
    "StoredGap",
    "StreamLock",
    "StreamPosition",
    "StreamRecord",
    "WallClock",
    "apply_quota",
    "contact_sheet",
    "copy_journal",
    "missing_note",
    "nothing_left_note",
    "split_sheet",
    "stream_named",
]
