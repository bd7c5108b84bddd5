"""Model names: which stream a client means."""

from http import HTTPStatus

from keepsight.journal import Journal, StreamRecord
from keepsight.server.openai.refusals import OpenAiError, refusal_of
from keepsight.server.streams.naming import streams_named


def stream_named(journal: Journal, name: str) -> StreamRecord:
    """The stream with an id; or the only one whose source has the name, whole or after its last slash.

    Raises:
        OpenAiError: 404, none has it, or several have.
    """
    found = streams_named(journal, name)
    if len(found) == 1:
        return found[0]
    message = f"{len(found)} streams are of that name: give the id of one" if found else "there is no such model"
    raise OpenAiError(HTTPStatus.NOT_FOUND, refusal_of(HTTPStatus.NOT_FOUND, message, "model"))
