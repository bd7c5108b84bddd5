"""Keys and values kept and searched, in the style of ReKV (arXiv 2503.00540), written from its paper: our baseline."""

from collections.abc import Hashable
from dataclasses import dataclass, field

from keepsight.asking.evidence import longest_reply
from keepsight.bench.methods.base import Asked, NoCaptions, Reply
from keepsight.bench.methods.checks import check_count
from keepsight.bench.shared_model import SharedModel
from keepsight.errors import SettingError
from keepsight.models.baselines.kv_stream import KeyValueModel, KeyValueSettings, KeyValueStream
from keepsight.models.protocol import VideoModel
from keepsight.settings import Settings
from keepsight.video import Frame


class KeyValuesSeen(NoCaptions):
    """Encodes each frame into keys and values as it comes.

    Args:
        model: an adapter that shows its language side.
        settings: window and number of frames retrieved.

    Raises:
        SettingError: the model's adapter has no language side to show.
    """

    def __init__(self, model: VideoModel, settings: KeyValueSettings) -> None:
        own = model.model if isinstance(model, SharedModel) else model
        if not isinstance(own, KeyValueModel):
            raise SettingError(f"kv-retrieval works on keys and values, which {model.info.name} does not give")
        self._model = model
        self.stream = KeyValueStream(own, settings)

    def see(self, frame: Frame) -> None:
        """Encode one more frame after those in the window."""
        self.stream.see(self._model.encode([frame.image]))


@dataclass(frozen=True)
class KeyValueRetrieval:
    """Answer from the keys and values of the frames whose mean key is nearest the question, layer by layer.

    Attributes:
        window_frames: frames that a new one attends to, 0 or more. More than the model's window has room for are
            refused when watching begins.
        retrieved_frames: frames that a question is answered from, 1 or more. A prompt with more than the model's window
            has room for is refused.
        settings: frame rate and longest answer.

    Raises:
        SettingError: a number of frames is none, or too small.
    """

    window_frames: int = 64
    retrieved_frames: int = 64
    settings: Settings = field(default_factory=Settings)

    def __post_init__(self) -> None:
        check_count("window_frames", self.window_frames, minimum=0)
        check_count("retrieved_frames", self.retrieved_frames)

    @property
    def sample_fps(self) -> float:
        """Frames a second."""
        return self.settings.sample_fps

    @property
    def watching(self) -> Hashable:
        """Window, number of frames and their rate."""
        return ("keys and values", self.window_frames, self.retrieved_frames, self.sample_fps)

    def begin(self, model: VideoModel, _sample_fps: float) -> KeyValuesSeen:
        """Begin with the chat's opening only."""
        return KeyValuesSeen(model, KeyValueSettings(self.window_frames, self.retrieved_frames))

    def answer(self, model: VideoModel, seen: KeyValuesSeen, asked: Asked) -> Reply:
        """Retrieve and answer."""
        pieces = seen.stream.answer(asked.wording, max_new_tokens=longest_reply(model, self.settings))
        num_frames = min(len(seen.stream.frames), self.retrieved_frames)
        num_tokens = model.count_prompt_tokens("", asked.wording, num_frames * model.info.tokens_per_step)
        return Reply("".join(pieces).strip(), num_tokens)
