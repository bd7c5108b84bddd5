"""What the process that decodes may use."""

import resource
from dataclasses import dataclass

from keepsight.errors import SettingError

_MEGABYTE = 1_000_000


@dataclass(frozen=True)
class DecodeLimits:
    """Bounds around decoding, because a malformed or hostile file may make a decoder allocate or run without end.

    Attributes:
        memory_megabytes: address space of the decoding process. Pictures of 8,192 x 8,192 take some 1,500.
        silence_seconds: longest wait for the next picture of a file; the process is ended then.
        open_seconds: longest wait for what a source is.

    Raises:
        SettingError: a number is outside what is allowed.
    """

    memory_megabytes: int = 4_000
    silence_seconds: float = 120.0
    open_seconds: float = 60.0

    def __post_init__(self) -> None:
        if self.memory_megabytes < 300:
            raise SettingError(f"memory_megabytes is {self.memory_megabytes}; allowed are 300 and more")
        if not (self.silence_seconds > 0 and self.open_seconds > 0):
            raise SettingError("silence_seconds and open_seconds are above 0")


def limit_this_process(memory_megabytes: int) -> None:
    """Bound the address space of this process, and leave no core file of what a camera saw."""
    limit = memory_megabytes * _MEGABYTE
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
