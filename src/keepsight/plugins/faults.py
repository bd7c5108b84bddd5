"""Faults of plug-ins: an exception of another package's code becomes one line that names the package."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from keepsight.errors import KeepsightError, PlugInError, SettingError

logger = logging.getLogger(__name__)

_LONGEST_REASON = 300
"""Length limit of an exception's text in a message, in characters."""


def is_built_in(kind: type) -> bool:
    """Whether a class is Keepsight's own."""
    return kind.__module__.partition(".")[0] == "keepsight"


def reason_of(error: Exception) -> str:
    """An exception's text on one line; its kind in front, unless it is one of Keepsight's own."""
    text = " ".join(str(error).split()) or "no reason given"
    text = text if len(text) <= _LONGEST_REASON else f"{text[:_LONGEST_REASON]}..."
    return text if isinstance(error, KeepsightError) else f"{type(error).__name__}: {text}"


@contextmanager
def blaming(
    kind: type, name_of: Callable[[type], str], member: str, expected: tuple[type[Exception], ...] = ()
) -> Iterator[None]:
    """Raise what a plug-in's code raises as `PlugInError`, and log its traceback at debug level.

    Exceptions of Keepsight's own parts pass unchanged, since they are faults of Keepsight. So do errors of the tree
    that a part raises on purpose, except `SettingError`: its message says what must be, but not of which part.

    Args:
        kind: class of the part.
        name_of: gives a class's name in messages, with its package.
        member: what is called.
        expected: exceptions that the caller handles, which pass unchanged.

    Raises:
        PlugInError: the plug-in raised an exception.
    """
    try:
        yield
    except expected:
        raise
    except Exception as error:
        is_on_purpose = isinstance(error, KeepsightError) and not isinstance(error, SettingError)
        if is_built_in(kind) or is_on_purpose:
            raise
        name = name_of(kind)
        logger.debug("%s failed in %s", name, member, exc_info=error)
        advice = "use another one, or report it to the author of the package"
        raise PlugInError(f"{name} failed in {member}: {reason_of(error)}; {advice}") from error
