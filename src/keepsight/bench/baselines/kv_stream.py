"""Question answering from the keys and values of a video stream: a baseline in the style of ReKV (arXiv 2503.00540).

Every frame passes through the language model once, on arrival, and attends to a window:

    [chat opening][the window_frames frames before it][the frame, causally]

Its keys and values are kept forever; once no later frame can attend to them they move to host memory. A question
retrieves the nearest frames, per layer (see `kv_retrieval`), in time order:

    [chat opening][retrieved frames][separator][question and chat closing]

Positions are contiguous in both layouts, from 0, so a stream may be longer than the model's context window, and a
frame's distance to the opening is that of the window, not of the stream. While the whole video fits into the window and
into `retrieved_frames`, the answer equals that of the plain prompt with all frames.

The paper leaves some choices open. From the paper: window attention, blocks of one frame, mean keys and queries, cosine
similarity, the choice per layer, 64 frames. Ours: the opening is always attended to, all frames are candidates
(including those in the window), and the details of means and of the question's pass in `kv_retrieval`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from keepsight.bench.baselines.kv_retrieval import KeyValueBlock, Retrieved, encode_block, retrieve
from keepsight.errors import PromptTooLongError, SettingError
from keepsight.method.prompts import question_text
from keepsight.method.protocol import AnswerRequest, ModelInfo
from keepsight.models.decoding.language_model import PromptBatch
from keepsight.models.decoding.replies import generate, single_reply, stream_text
from keepsight.models.language_side import LanguageSide
from keepsight.models.prompting.layout import Piece, Separator, assemble

_CPU = torch.device("cpu")


@runtime_checkable
class KeyValueModel(Protocol):
    """The part of an adapter used here; `isinstance` tells whether an adapter has it."""

    @property
    def info(self) -> ModelInfo:
        """Properties of the model."""

    @property
    def language_side(self) -> LanguageSide:
        """The language model with its prompts."""

    def answer(self, request: AnswerRequest) -> Iterator[str]:
        """See `VideoModel.answer`."""


@dataclass(frozen=True)
class KeyValueSettings:
    """Window of a frame and number of retrieved frames.

    Attributes:
        window_frames: previous frames that a new one attends to, at least 0. The paper's window is in tokens.
        retrieved_frames: frames retrieved per layer, at least 1; 64 in the paper.

    Raises:
        SettingError: a number is outside what is allowed.
    """

    window_frames: int = 64
    retrieved_frames: int = 64

    def __post_init__(self) -> None:
        if self.window_frames < 0:
            raise SettingError(f"window_frames must be at least 0, got {self.window_frames}")
        if self.retrieved_frames < 1:
            raise SettingError(f"retrieved_frames must be at least 1, got {self.retrieved_frames}")


class KeyValueStream:
    """A video stream that frames are added to and questions asked of at any time. Frames are never dropped.

    Streams over one model are independent of each other and of the model's own methods.

    Args:
        model: the adapter; its weights are shared.
        settings: window and retrieval.

    Raises:
        SettingError: chat opening, window and one more frame exceed the model's context window, or the model is on
            several devices.
    """

    def __init__(self, model: KeyValueModel, settings: KeyValueSettings | None = None) -> None:
        if len(model.info.devices) > 1:
            raise SettingError(
                f"must be one device for retrieval of keys and values, got {model.info.device}", "device"
            )
        self._model = model
        self._settings = settings or KeyValueSettings()
        self._side = model.language_side
        opening_ids = self._side.prompts.ids("", with_video=True).before
        self._check_window(len(opening_ids))
        self._opening = encode_block(self._side.decoder, self._side.language.embed_ids(opening_ids), [])
        self._frames: list[KeyValueBlock] = []
        self._mean_keys: list[Tensor] = []

    @property
    def frames(self) -> tuple[KeyValueBlock, ...]:
        """Keys and values of every frame in time order."""
        return tuple(self._frames)

    def see(self, tokens: Tensor) -> None:
        """Add the next frame.

        Args:
            tokens: `[tokens_per_step, dim]`, from the model's `encode`.

        Raises:
            SettingError: the tokens have another shape.
        """
        allowed = (self._model.info.tokens_per_step, self._model.info.dim)
        if tokens.shape != allowed:
            raise SettingError(f"tokens of a frame must have shape {list(allowed)}, got {list(tokens.shape)}")
        oldest = max(0, len(self._frames) - self._settings.window_frames)
        before = [self._opening, *self._frames[oldest:]]
        block = encode_block(self._side.decoder, tokens.to(self._side.separator), before)
        self._frames.append(block)
        self._mean_keys.append(block.mean_keys())
        leaving = len(self._frames) - 1 - self._settings.window_frames
        if leaving >= 0:
            self._frames[leaving] = self._frames[leaving].to(_CPU)

    def retrieve(self, question: str) -> Retrieved:
        """What `answer` would answer from; the caller owns the cache.

        Raises:
            SettingError: the question is empty, or there is no frame.
        """
        ids = self._side.prompts.text_ids(" ".join(question.split()))
        if not ids or not self._frames:
            missing = "the question is empty" if not ids else "no frame was watched"
            raise SettingError(f"{missing}; retrieval needs at least one question token and one frame")
        embeds = self._side.language.embed_ids(ids)
        count = self._settings.retrieved_frames
        return retrieve(self._side.decoder, embeds, self._opening, self._frames, self._mean_keys, count)

    def answer(self, question: str, *, query: str | None = None, max_new_tokens: int = 256) -> Iterator[str]:
        """Answer a question greedily, streaming pieces of text, from the frames at the time of the call.

        Without frames it is answered without video. Errors are raised immediately.

        Args:
            question: text for the model.
            query: text to retrieve frames by, such as the question without its choices; the question if None.
            max_new_tokens: token limit of the answer.

        Raises:
            SettingError: the question is empty, or `max_new_tokens` is below 1.
            PromptTooLongError: retrieved frames, prompt and `max_new_tokens` exceed the context window.
        """
        if not self._frames:
            return self._model.answer(AnswerRequest("", question, max_new_tokens=max_new_tokens))
        side = self._side
        ids = side.prompts.ids(question_text("", question), with_video=True)
        with torch.inference_mode():
            pieces: list[Piece] = [Separator(side.separator), ids.after]
            prompt = assemble(pieces, side.language.embed_ids)
        self._check_length(len(prompt), max_new_tokens)
        cache = self.retrieve(question if query is None else query).cache
        new_ids = generate(side.language, PromptBatch.of([prompt]), side.end_ids, max_new_tokens, cache=cache)
        return stream_text(single_reply(new_ids), side.decode)

    def _check_window(self, opening_tokens: int) -> None:
        info, window_frames = self._model.info, self._settings.window_frames
        most = (info.context_window_tokens - opening_tokens) // info.tokens_per_step - 1
        if window_frames > most:
            raise SettingError(
                f"window_frames must be 0 to {most} to fit the model's context window of "
                f"{info.context_window_tokens} tokens, "
                f"got {window_frames}"
            )

    def _check_length(self, prompt_tokens: int, max_new_tokens: int) -> None:
        if max_new_tokens < 1:
            raise SettingError(f"max_new_tokens must be at least 1, got {max_new_tokens}")
        info = self._model.info
        num_frames = min(self._settings.retrieved_frames, len(self._frames))
        length = self._opening.num_tokens + num_frames * info.tokens_per_step + prompt_tokens
        if length + max_new_tokens > info.context_window_tokens:
            raise PromptTooLongError(
                f"the prompt with {num_frames} retrieved frames has {length} tokens and the reply up to "
                f"{max_new_tokens}, but the model's context window is {info.context_window_tokens} tokens; "
                "retrieve fewer frames"
            )
