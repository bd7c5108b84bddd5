"""Properties of a loaded model: sizes, context window, and how frames become tokens."""

from dataclasses import dataclass
from typing import Literal

JudgingStyle = Literal["plain", "toy-world"]
"""How a model is prompted for a yes-or-no verdict on a caption: see `models.judging`."""


@dataclass(frozen=True)
class ModelIdentity:
    """Which model it is, known before it is loaded.

    Attributes:
        name: bundled name, folder or hub id, as given.
        checkpoint: what the name stands for, wherever it is used from: a bundled name, an absolute folder, or a hub id
            with its commit, such as `owner/name@0a1b2c3`.
        fingerprint: short digest of configuration and weights (`models.naming.fingerprint_of`); empty if unknown.
        choices: settings of the model that captions depend on, other than the defaults, by name.
    """

    name: str
    checkpoint: str
    fingerprint: str = ""
    choices: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class AnswerAuthor:
    """Which model writes answers, and where.

    Attributes:
        model: its name, here or at the server.
        url: base URL of the server that runs it, without credentials; None for a model in this process.
    """

    model: str
    url: str | None = None


@dataclass(frozen=True)
class ModelInfo:
    """Properties of a loaded model.

    Attributes:
        name: name it was loaded by (bundled name, folder or hub id).
        architecture: the Hugging Face class that runs it.
        num_parameters: count of weights.
        device: torch device, such as `cpu` or `cuda:0`; all of them for a model on several, such as `cuda:0, cuda:1`.
        dtype: weights' type, such as `float16`.
        memory_bytes: bytes of the weights plus the estimated working memory of describing one full context.
        dim: width of text embeddings.
        context_window_tokens: limit of prompt plus reply.
        frame_size_pixels: height and width that frames are resized to.
        token_grid: rows and columns of visual tokens in one step; for models that keep a frame's aspect ratio, those
            of a square one (`VideoModel.token_grid` tells others).
        score_layers: decoder layers, 1-based, whose attention makes the scores.
        frames_per_step: consecutive frames that the vision tower merges into one step of tokens.
        visual_dim: width of visual tokens; None if it is `dim`. A multiple of `dim` for models that also add visual
            features after their first layers (DeepStack, arXiv 2406.04334).
        quantization: `int8` or `int4` if the decoder's weights are quantised.
        judging_style: prompt form for judging standing questions; `plain` uses the user's own words.
        checkpoint: what the name stands for, see `ModelIdentity`; empty for the name itself.
        fingerprint: digest of configuration and weights, see `ModelIdentity`.
        choices: settings that captions depend on, see `ModelIdentity`.
    """

    name: str
    architecture: str
    num_parameters: int
    device: str
    dtype: str
    memory_bytes: int
    dim: int
    context_window_tokens: int
    frame_size_pixels: tuple[int, int]
    token_grid: tuple[int, int]
    score_layers: tuple[int, ...]
    frames_per_step: int = 1
    visual_dim: int | None = None
    quantization: str | None = None
    judging_style: JudgingStyle = "plain"
    checkpoint: str = ""
    fingerprint: str = ""
    choices: tuple[tuple[str, float], ...] = ()

    @property
    def identity(self) -> ModelIdentity:
        """Which model it is."""
        return ModelIdentity(self.name, self.checkpoint or self.name, self.fingerprint, self.choices)

    @property
    def author(self) -> AnswerAuthor:
        """Who writes its answers."""
        return AnswerAuthor(self.name)

    @property
    def devices(self) -> tuple[str, ...]:
        """All devices of the model; visual tokens and logits are on the first."""
        return tuple(self.device.split(", "))

    @property
    def tokens_per_step(self) -> int:
        """Visual tokens per step, without separators."""
        return self.token_grid[0] * self.token_grid[1]

    @property
    def token_width(self) -> int:
        """Width of a visual token."""
        return self.dim if self.visual_dim is None else self.visual_dim

    def num_visual_tokens(self, num_frames: int, token_grid: tuple[int, int] | None = None) -> int:
        """Visual tokens of `num_frames` frames; an incomplete step is padded with its last frame.

        Args:
            num_frames: 0 or more.
            token_grid: rows and columns per step, for models with several grids; None for the default one.
        """
        rows, columns = token_grid or self.token_grid
        return self.num_steps(num_frames) * rows * columns

    def num_steps(self, num_frames: int) -> int:
        """Steps of `num_frames` frames, counting an incomplete one."""
        return -(-num_frames // self.frames_per_step)
