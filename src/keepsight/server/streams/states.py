"""States of streams that nobody is watching, from what the journal says of their end."""

from keepsight.journal import EndReason, StreamRecord

PAUSED = "paused"
"""Detail of the end of a stream that a user wants left alone."""

SHUT_DOWN = "the server was stopped"
"""Detail of the end of a stream that the next server goes on with."""


def state_of(stream: StreamRecord, failure: str = "") -> str:
    """The state of a stream that nobody is watching.

    Args:
        stream: as the journal has it.
        failure: what went wrong in this run, where the journal does not know.
    """
    if stream.end_reason is EndReason.INTERRUPTED and stream.end_detail == PAUSED:
        return "paused"
    if stream.end_reason is None:
        return "failed" if failure else "interrupted"
    return stream.end_reason.value


def is_wanted(stream: StreamRecord) -> bool:
    """Whether a server that begins goes on with a stream: another one was watching it when it was stopped, or died."""
    if stream.end_reason is None:
        return True
    return stream.end_reason is EndReason.INTERRUPTED and stream.end_detail == SHUT_DOWN
