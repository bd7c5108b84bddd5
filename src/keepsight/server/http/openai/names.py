"""Resolves model names to streams."""

from http import HTTPStatus

from keepsight.errors import UnknownStreamError
from keepsight.journal import Journal, StreamRecord, stream_named
from keepsight.server.http.openai.refusals import OpenAiError, refusal_of


def model_named(journal: Journal, name: str) -> StreamRecord:
    """Stream of a model name, by the rule of `journal.stream_named`.

    Raises:
        OpenAiError: 404, no stream or several match.
    """
    try:
        return stream_named(journal.streams.all(), name)
    except UnknownStreamError as error:
        raise OpenAiError(HTTPStatus.NOT_FOUND, refusal_of(HTTPStatus.NOT_FOUND, str(error), "model")) from None
