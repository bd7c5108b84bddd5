"""How sources are read: allowed addresses, decoder limits, timeouts, and drops."""

from dataclasses import dataclass, field
from pathlib import Path

from keepsight.errors import SettingError
from keepsight.sources.backoff import Backoff
from keepsight.sources.frame_queue import DropPolicy
from keepsight.sources.worker_pipe import DecodeLimits


@dataclass(frozen=True)
class SupervisionSettings:
    """When a source counts as lost, and how to reconnect.

    Attributes:
        stall_seconds: frame timeout, in addition to the sampling interval.
        backoff: waits between attempts.
    """

    stall_seconds: float = 20.0
    backoff: Backoff = field(default_factory=Backoff)

    def __post_init__(self) -> None:
        if not self.stall_seconds > 0:
            raise SettingError(f"stall_seconds must be above 0, got {self.stall_seconds}")


@dataclass(frozen=True)
class LoadSettings:
    """What to do when the model is slower than a live source.

    Attributes:
        queue_frames: capacity of the frame queue: two clips.
        policy: which frames to drop when it is full.
        retry_seconds: retry interval on a full disk.

    Raises:
        SettingError: a number is out of range.
    """

    queue_frames: int = 32
    policy: DropPolicy = field(default=DropPolicy.DROP_OLDEST)
    retry_seconds: float = 5.0

    def __post_init__(self) -> None:
        if self.queue_frames < 1 or not self.retry_seconds > 0:
            raise SettingError("queue_frames must be at least 1 and retry_seconds above 0")


@dataclass(frozen=True)
class SourceSettings:
    """How sources are read. None of it changes captions.

    Attributes:
        allow_private: allow addresses of this machine and private networks.
        limits: limits of the decoder process.
        supervision: when a live source counts as lost.
        load: what to do when the model is slower than a live source.
        roots: folders that files, folders, pipes and devices must be in; empty for anywhere.
    """

    allow_private: bool = False
    limits: DecodeLimits = field(default_factory=DecodeLimits)
    supervision: SupervisionSettings = field(default_factory=SupervisionSettings)
    load: LoadSettings = field(default_factory=LoadSettings)
    roots: tuple[Path, ...] = ()
