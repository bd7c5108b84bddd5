"""States of inactive streams, from how the journal says they ended."""

from keepsight.journal import EndReason, StreamRecord

PAUSED = "paused"
"""End detail of a stream paused by a user."""

SHUT_DOWN = "the server was stopped"
"""End detail of a stream that the next server resumes."""

UNFORESEEN = "internal error; see the server's log"
"""Message to clients for an internal error."""


_FINAL = frozenset((PAUSED, *EndReason))


def state_of(stream: StreamRecord, failure: str = "") -> str:
    """State of an inactive stream.

    Args:
        stream: its record.
        failure: error of this run that the journal does not have.
    """
    if stream.end_reason is EndReason.INTERRUPTED and stream.end_detail == PAUSED:
        return "paused"
    if stream.end_reason is None:
        return "failed" if failure else "interrupted"
    return stream.end_reason.value


def is_final(state: str) -> bool:
    """Whether a state is that of an inactive stream."""
    return state in _FINAL


def is_wanted(stream: StreamRecord) -> bool:
    """Whether a starting server resumes a stream: it was active when the last server stopped or died."""
    if stream.end_reason is None:
        return True
    return stream.end_reason is EndReason.INTERRUPTED and stream.end_detail == SHUT_DOWN
