"""Retrieval of keys and values in the style of ReKV (arXiv 2503.00540), implemented from its paper: our baseline."""

from collections.abc import Hashable
from dataclasses import dataclass, field

from keepsight.asking.evidence import longest_reply
from keepsight.bench.baselines.kv_stream import KeyValueModel, KeyValueSettings, KeyValueStream
from keepsight.bench.methods.base import Asked, NoCaptions, Reply
from keepsight.bench.methods.checks import check_count
from keepsight.bench.shared_model import SharedModel
from keepsight.errors import SettingError
from keepsight.method.protocol import VideoModel
from keepsight.settings import Settings
from keepsight.video import Frame


class KeyValuesSeen(NoCaptions):
    """Encodes each frame into keys and values on arrival.

    Args:
        model: an adapter with a language side.
        settings: window and number of frames retrieved.

    Raises:
        SettingError: the adapter has no language side.
    """

    def __init__(self, model: VideoModel, settings: KeyValueSettings) -> None:
        own = model.model if isinstance(model, SharedModel) else model
        if not isinstance(own, KeyValueModel):
            raise SettingError(f"kv-retrieval needs a model that exposes keys and values; {model.info.name} does not")
        self._model = model
        self.stream = KeyValueStream(own, settings)

    def see(self, frame: Frame) -> None:
        """Encode a frame after those in the window."""
        self.stream.see(self._model.encode([frame.image]))


@dataclass(frozen=True)
class KeyValueRetrieval:
    """Answer from the keys and values of the frames whose mean key is nearest the question, per layer.

    Attributes:
        window_frames: previous frames that a new one attends to, at least 0. Checked against the context window when
            watching starts.
        retrieved_frames: frames retrieved per question, at least 1. Checked against the context window when asking.
        settings: frame rate and answer limit.

    Raises:
        SettingError: a number of frames is invalid.
    """

    window_frames: int = 64
    retrieved_frames: int = 64
    settings: Settings = field(default_factory=Settings)

    def __post_init__(self) -> None:
        check_count("window_frames", self.window_frames, minimum=0)
        check_count("retrieved_frames", self.retrieved_frames)

    @property
    def sample_fps(self) -> float:
        return self.settings.sample_fps

    @property
    def watching(self) -> Hashable:
        """Window, number of frames and their rate."""
        return ("keys and values", self.window_frames, self.retrieved_frames, self.sample_fps)

    def begin(self, model: VideoModel, _sample_fps: float) -> KeyValuesSeen:
        """Start with the chat's opening only."""
        return KeyValuesSeen(model, KeyValueSettings(self.window_frames, self.retrieved_frames))

    def answer(self, model: VideoModel, seen: KeyValuesSeen, asked: Asked) -> Reply:
        """Retrieve by the question alone, as published, and answer."""
        longest = longest_reply(model, self.settings)
        pieces = seen.stream.answer(asked.wording, query=asked.question, max_new_tokens=longest)
        num_frames = min(len(seen.stream.frames), self.retrieved_frames)
        num_tokens = model.count_prompt_tokens("", asked.wording, num_frames * model.info.tokens_per_step)
        return Reply("".join(pieces).strip(), num_tokens)
