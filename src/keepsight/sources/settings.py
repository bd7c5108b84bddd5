"""How sources are read: what may be connected to, bounds around decoding, when one counts as lost, what is dropped."""

from dataclasses import dataclass, field
from pathlib import Path

from keepsight.errors import SettingError
from keepsight.sources.backoff import Backoff
from keepsight.sources.frame_queue import DropPolicy
from keepsight.sources.limits import DecodeLimits


@dataclass(frozen=True)
class SupervisionSettings:
    """When a source counts as lost, and how it is found again.

    Attributes:
        stall_seconds: longest wait for a frame; it is also waited for as long as sampling itself takes.
        backoff: waits between attempts.
    """

    stall_seconds: float = 20.0
    backoff: Backoff = field(default_factory=Backoff)

    def __post_init__(self) -> None:
        if not self.stall_seconds > 0:
            raise SettingError(f"stall_seconds is above 0, not {self.stall_seconds}")


@dataclass(frozen=True)
class LoadSettings:
    """What happens when a model is slower than a live source.

    Attributes:
        queue_frames: frames that may wait: two clips.
        policy: which are given up when there are more.
        retry_seconds: how long to wait for room on a full disk, each time.

    Raises:
        SettingError: a number is outside what is allowed, or the policy would let the source wait.
    """

    queue_frames: int = 32
    policy: DropPolicy = field(default=DropPolicy.DROP_OLDEST)
    retry_seconds: float = 5.0

    def __post_init__(self) -> None:
        if self.queue_frames < 1 or not self.retry_seconds > 0:
            raise SettingError("queue_frames is 1 or more and retry_seconds above 0")
        if self.policy is DropPolicy.WAIT:
            raise SettingError("a live source does not wait: its policy is drop-oldest, drop-newest or thin")


@dataclass(frozen=True)
class SourceSettings:
    """How sources are read. Nothing of it changes what a clip's caption is.

    Attributes:
        allow_private: addresses in this machine's own and other private networks may be connected to.
        limits: of the process that decodes.
        supervision: when a live source counts as lost.
        load: what happens when the model is slower than a live source.
        roots: folders in which files, folders, pipes and devices must lie; empty for anywhere (`roots`).
    """

    allow_private: bool = False
    limits: DecodeLimits = field(default_factory=DecodeLimits)
    supervision: SupervisionSettings = field(default_factory=SupervisionSettings)
    load: LoadSettings = field(default_factory=LoadSettings)
    roots: tuple[Path, ...] = ()
