"""What questions ask, against a table written by hand."""

from datetime import UTC

import pytest

from keepsight.asking.understanding import Understood, understand
from keepsight.journal import StreamRecord
from tests.understanding.table import BEGAN, BERLIN, ROWS, UNPLACED, Row

LIVE = StreamRecord("id", "rtsp://camera", "tiny", "{}", BEGAN.astimezone(UTC), is_live=True)


def asked(row: Row) -> Understood:
    return understand(row.question, now_seconds=row.now_seconds, wall=LIVE if row.is_live else None, zone=BERLIN)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.question)
def test_table(row: Row) -> None:
    found = asked(row)
    anchor = None if found.anchor is None else (found.anchor.side, found.anchor.phrase)
    scope = found.scope
    span = None if scope is None or scope.span is None else (scope.span.start_seconds, scope.span.end_seconds)
    assert (found.kind, found.order, " ".join(found.words), anchor) == (row.kind, row.order, row.words, row.anchor)
    assert (scope is not None, span) == (row.scope is not None, row.span)
    assert (scope is not None and span is None) == (row.scope == UNPLACED)


def test_table_is_large_and_without_repetition() -> None:
    assert len({(row.question, row.is_live) for row in ROWS}) == len(ROWS) >= 120
