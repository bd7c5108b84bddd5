"""Question answering from the keys and values of a video stream: a baseline in the style of ReKV (arXiv 2503.00540).

Every frame goes through the language model once, when it comes, and attends to a window:

    [chat opening][the window_frames frames before it][the frame, causally]

Its keys and values are kept for good; once no later frame can attend to them they move to the CPU's memory. A question
brings the nearest frames back, in every layer its own (see `kv_retrieval`), in time order:

    [chat opening][retrieved frames][separator][question and chat closing]

Positions are contiguous in both layouts, from 0, so a stream may be longer than the model's context window, and a
frame stands as far from the opening as there are frames in the window, not in the stream. While the whole video fits
into the window and into `retrieved_frames`, an answer is that of the plain prompt with all frames in it.

The paper does not fix everything. From it are: window attention, blocks of one frame, mean keys and queries, cosine
similarity, the choice per layer, 64 frames. Ours are: the opening as what is always attended to, all frames as
candidates (those still in the window, too), and what `kv_retrieval` says of means and of the question's pass.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from keepsight.errors import PromptTooLongError, SettingError
from keepsight.models.baselines.kv_retrieval import KeyValueBlock, Retrieved, encode_block, retrieve
from keepsight.models.baselines.language_side import LanguageSide
from keepsight.models.decoding.language_model import PromptBatch
from keepsight.models.decoding.replies import generate, single_reply, stream_text
from keepsight.models.footprint import ModelShape, key_value_bytes
from keepsight.models.prompting.layout import Piece, Separator, assemble
from keepsight.models.protocol import ModelInfo, VisualInput
from keepsight.prompts import question_text

_CPU = torch.device("cpu")


@runtime_checkable
class KeyValueModel(Protocol):
    """The part of an adapter that is used here; `isinstance` tells whether an adapter has it."""

    @property
    def info(self) -> ModelInfo:
        """What the model is and needs."""

    @property
    def language_side(self) -> LanguageSide:
        """The language model with its prompts."""

    def answer(
        self, context: str, question: str, visual: VisualInput | None = None, *, max_new_tokens: int = 256
    ) -> Iterator[str]:
        """See `VideoModel.answer`."""


@dataclass(frozen=True)
class KeyValueSettings:
    """What a frame attends to and how much a question gets back.

    Attributes:
        window_frames: frames before a new one that it attends to, 0 or more. The paper sets its window in tokens.
        retrieved_frames: frames that a question is answered from in each layer, 1 or more; 64 in the paper.

    Raises:
        SettingError: a number is outside what is allowed.
    """

    window_frames: int = 64
    retrieved_frames: int = 64

    def __post_init__(self) -> None:
        if self.window_frames < 0:
            raise SettingError(f"window_frames is {self.window_frames}; allowed are 0 and more")
        if self.retrieved_frames < 1:
            raise SettingError(f"retrieved_frames is {self.retrieved_frames}; allowed are 1 and more")


class KeyValueStream:
    """One video stream: frames in, answers out at any time. Frames are never forgotten.

    Streams over the same model do not disturb one another or the model's own methods.

    Args:
        model: the adapter; its weights are shared.
        settings: window and retrieval.

    Raises:
        SettingError: chat opening, window and one more frame exceed the model's context window.
    """

    def __init__(self, model: KeyValueModel, settings: KeyValueSettings | None = None) -> None:
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

    @property
    def offloaded_bytes(self) -> int:
        """Bytes of keys and values in the CPU's memory that no later frame attends to."""
        num_offloaded = max(0, len(self._frames) - self._settings.window_frames)
        return sum(block.num_bytes for block in self._frames[:num_offloaded])

    def see(self, tokens: Tensor) -> None:
        """Take in the next frame.

        Args:
            tokens: `[tokens_per_step, dim]`, from the model's `encode`.

        Raises:
            SettingError: the tokens have another shape.
        """
        allowed = (self._model.info.tokens_per_step, self._model.info.dim)
        if tokens.shape != allowed:
            raise SettingError(f"tokens of a frame are {list(tokens.shape)}; allowed is {list(allowed)}")
        oldest = max(0, len(self._frames) - self._settings.window_frames)
        before = [self._opening, *self._frames[oldest:]]
        block = encode_block(self._side.decoder, tokens.to(self._side.separator), before)
        self._frames.append(block)
        self._mean_keys.append(block.mean_keys())
        leaving = len(self._frames) - 1 - self._settings.window_frames
        if leaving >= 0:
            self._frames[leaving] = self._frames[leaving].to(_CPU)

    def retrieve(self, question: str) -> Retrieved:
        """What `answer` would answer from; the cache is the caller's own.

        Raises:
            SettingError: the question has no words, or no frame has been seen.
        """
        ids = self._side.prompts.text_ids(" ".join(question.split()))
        if not ids or not self._frames:
            missing = "the question is empty" if not ids else "no frame has been seen"
            raise SettingError(f"{missing}; retrieval needs at least one word and one frame")
        embeds = self._side.language.embed_ids(ids)
        count = self._settings.retrieved_frames
        return retrieve(self._side.decoder, embeds, self._opening, self._frames, self._mean_keys, count)

    def answer(self, question: str, *, max_new_tokens: int = 256) -> Iterator[str]:
        """Answer a question greedily, in pieces as they are generated, from the frames seen when it is asked.

        Before the first frame it is answered without a video. Errors are raised at once, not with the first piece.

        Raises:
            SettingError: the question has no words, or `max_new_tokens` is below 1.
            PromptTooLongError: retrieved frames, prompt and `max_new_tokens` exceed the context window.
        """
        if not self._frames:
            return self._model.answer("", question, max_new_tokens=max_new_tokens)
        side = self._side
        ids = side.prompts.ids(question_text("", question), with_video=True)
        with torch.inference_mode():
            pieces: list[Piece] = [Separator(side.separator), ids.after]
            prompt = assemble(pieces, side.language.embed_ids)
        self._check_length(len(prompt), max_new_tokens)
        cache = self.retrieve(question).cache
        new_ids = generate(side.language, PromptBatch.of([prompt]), side.end_ids, max_new_tokens, cache=cache)
        return stream_text(single_reply(new_ids), side.decode)

    def _check_window(self, opening_tokens: int) -> None:
        info, window_frames = self._model.info, self._settings.window_frames
        most = (info.context_window_tokens - opening_tokens) // info.tokens_per_step - 1
        if window_frames > most:
            raise SettingError(
                f"window_frames is {window_frames}; the model's window of {info.context_window_tokens} tokens "
                f"allows 0 to {most}"
            )

    def _check_length(self, prompt_tokens: int, max_new_tokens: int) -> None:
        if max_new_tokens < 1:
            raise SettingError(f"max_new_tokens is {max_new_tokens}; allowed are 1 and more")
        info = self._model.info
        num_frames = min(self._settings.retrieved_frames, len(self._frames))
        length = self._opening.num_tokens + num_frames * info.tokens_per_step + prompt_tokens
        if length + max_new_tokens > info.context_window_tokens:
            raise PromptTooLongError(
                f"the prompt with {num_frames} retrieved frames has {length} tokens and the reply up to "
                f"{max_new_tokens}, but the model's window is {info.context_window_tokens} tokens"
            )


def bytes_per_frame(shape: ModelShape, bytes_per_value: int) -> int:
    """Bytes of one frame's keys and values in all layers: what a stream grows by.

    The float32 mean keys that retrieval reads stay on the model's device and come on top: a share of
    `2 / (bytes_per_value * tokens_per_step)` of this.

    Args:
        shape: the model's sizes.
        bytes_per_value: 2 for half precision, 4 for float32.
    """
    return key_value_bytes(shape, shape.tokens_per_step, bytes_per_value)
