"""What `watch` and `serve` can be given, beside how a stream is watched."""

import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keepsight.extras import require_extra
from keepsight.hub.settings import HubSettings
from keepsight.models.engines.settings import AnswerSettings
from keepsight.models.load_options import DTYPE_DEFAULT
from keepsight.models.published_files import LEAST_PENALTY, MOST_PENALTY
from keepsight.schema import Choice, Flag, Maybe, Number, Text, Whole, check_fields, same_as, setting
from keepsight.server.settings import ServerSettings, TelemetrySettings
from keepsight.settings import Settings
from keepsight.sources.frame_queue import DropPolicy
from keepsight.sources.settings import LoadSettings, SourceSettings, SupervisionSettings

if TYPE_CHECKING:
    from keepsight.journal import Quota


@dataclass(frozen=True)
class LiveSettings:
    """How sources are read.

    Raises:
        SettingError: a value is outside what is allowed.
    """

    drop: DropPolicy = setting(
        LoadSettings().policy,
        Choice(tuple(DropPolicy), DropPolicy),
        "Drop these frames of a live source if the model lags.",
        "live",
    )
    stall_seconds: float = setting(
        SupervisionSettings().stall_seconds,
        Number(0, is_above=True),
        "Reconnect after this many seconds without a frame.",
        "live",
        unit="seconds",
    )
    allow_private: bool = same_as(HubSettings, "allow_private")
    credentials: Path | None = same_as(HubSettings, "credentials")

    def __post_init__(self) -> None:
        check_fields(self)

    def to_sources(self) -> SourceSettings:
        """The settings of whatever reads sources."""
        return SourceSettings(
            allow_private=self.allow_private,
            supervision=SupervisionSettings(stall_seconds=self.stall_seconds),
            load=LoadSettings(policy=self.drop),
        )


@dataclass(frozen=True)
class StorageSettings:
    """How much the journal may hold; None is no limit.

    Raises:
        SettingError: a limit is outside what is allowed.
    """

    max_gigabytes: float | None = setting(
        None,
        Maybe(Number(0, 1_000_000, is_above=True)),
        "Limit the journal's size; the oldest pictures go first, then clips.",
        "storage",
        unit="gigabytes",
    )
    max_stream_gigabytes: float | None = setting(
        None,
        Maybe(Number(0, 1_000_000, is_above=True)),
        "Limit the size of each stream: clips, pictures and memory.",
        "storage",
        unit="gigabytes",
    )
    max_days: float | None = setting(
        None,
        Maybe(Number(0, 1_000_000, is_above=True)),
        "Remove clips older than this from the journal.",
        "storage",
        unit="days",
    )

    def __post_init__(self) -> None:
        check_fields(self)

    def to_quota(self) -> "Quota | None":
        """The quota of a journal; None for no limit."""
        from keepsight.journal import Quota

        if (self.max_gigabytes, self.max_stream_gigabytes, self.max_days) == (None, None, None):
            return None
        return Quota(
            max_file_bytes=_num_bytes(self.max_gigabytes),
            max_stream_bytes=_num_bytes(self.max_stream_gigabytes),
            max_age_seconds=None if self.max_days is None else self.max_days * 86_400,
        )


class DeviceName(Text):
    """What a model may run on; whether there is such a device here is not looked at."""

    wanted = "auto, cpu, cuda, cuda:NUMBER, mps, all or several such as cuda:0,cuda:1"

    def accepts(self, value: Any) -> bool:
        """Whether it is a device's name."""
        names = r"auto|cpu|mps|all|cuda|cuda:\d{1,4}( ?, ?cuda:\d{1,4})*"
        return isinstance(value, str) and re.fullmatch(names, value, flags=re.ASCII) is not None


@dataclass(frozen=True)
class ModelSettings:
    """What describes and answers.

    Raises:
        SettingError: a value is outside what is allowed.
    """

    model: str = setting(
        "tiny", Text("MODEL"), "Bundled name, folder or Hugging Face id, owner/name or owner/name@revision.", "model"
    )
    device: str | None = setting(
        None,
        Maybe(DeviceName("DEVICE"), "CUDA if available, then mps"),
        "Run the model on this device, such as cpu, cuda, cuda:1 or mps (Apple), or split it over several, such as "
        "cuda:0,cuda:1, or all.",
        "model",
    )
    dtype: str | None = setting(
        None,
        Maybe(Choice(("float32", "float16", "bfloat16")), DTYPE_DEFAULT),
        "Run the model in this number format.",
        "model",
    )
    quantization: str | None = setting(
        None,
        Maybe(Choice(("int8", "int4"))),
        "Round the decoder's weights; needs the extra `quantization`.",
        "model",
    )
    tokens_per_frame: int | None = setting(
        None,
        Maybe(Whole(1, 16_384), "98 for Qwen and GLM models, 196 for VideoLLaMA 3, 70 for Gemma 4"),
        "Visual tokens of a large square frame, for models with a choice such as Qwen's; a clip's time and memory grow "
        "with them.",
        "model",
        unit="tokens",
    )
    repetition_penalty: float | None = setting(
        None,
        Maybe(Number(LEAST_PENALTY, MOST_PENALTY), "the model's own"),
        "Divide the logits of tokens that were there before by this; 1 for none.",
        "model",
    )
    compile: bool = setting(False, Flag(), "Compile caption generation: slow to start, may pay off on a GPU.", "model")

    def __post_init__(self) -> None:
        check_fields(self)

    def require_extras(self) -> None:
        """Refuse what needs a package that is not installed.

        Raises:
            SettingError: see `require_extra`.
        """
        if self.quantization is not None:
            require_extra("quantization", "quantization")


WATCH = (Settings, LiveSettings, StorageSettings, ModelSettings, AnswerSettings)
"""Settings of `keepsight watch`."""

ASK = (AnswerSettings,)
"""Settings of `keepsight ask` and `mcp`; the journal has the others."""

SERVE = (ServerSettings, TelemetrySettings, *WATCH)
"""Settings of `keepsight serve`."""


def _num_bytes(gigabytes: float | None) -> int | None:
    """Whole bytes, at least one. Reckoned exactly, since a float would overflow where somebody means no limit."""
    return None if gigabytes is None else max(1, round(Fraction(gigabytes) * 10**9))
