"""Sources whose frames are pushed over HTTP: how they are called, and how they are read."""

import re
from dataclasses import replace

from keepsight.errors import SettingError
from keepsight.sources.address import SourceAddress, SourceKind
from keepsight.sources.backoff import Backoff
from keepsight.sources.settings import SourceSettings

PUSH_SCHEME = "push:"
"""How the name of such a source begins: `push:NAME`."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_NO_SOONER = Backoff(0.1, 0.2)


def push_address(source: str) -> SourceAddress:
    """What `push:NAME` means.

    Raises:
        SettingError: the name has signs that it may not have.
    """
    if not _NAME.fullmatch(source.removeprefix(PUSH_SCHEME)):
        raise SettingError("push:NAME has a name of 1 to 64 letters, digits, dots, dashes and underscores")
    return SourceAddress(SourceKind.PUSHED, source, source)


def push_settings(sources: SourceSettings) -> SourceSettings:
    """As others are read, but whoever pushes again is not kept waiting: there is no server to be spared."""
    return replace(sources, supervision=replace(sources.supervision, backoff=_NO_SOONER))


def is_pushed(source: str) -> bool:
    """Whether a source's name is that of frames that are pushed over HTTP."""
    return source.startswith(PUSH_SCHEME)
