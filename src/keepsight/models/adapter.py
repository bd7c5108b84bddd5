"""Common base of all adapters: prompts, captions with scores, answers, budgets.

An adapter (`keepsight.models.adapters`) adds what differs: model class and sizes (`shape`), frames to visual tokens
(`encode`), and prompt layout (`lay_out`).
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from keepsight.errors import SettingError
from keepsight.method.prompts import question_text
from keepsight.method.protocol import AnswerRequest, DescribeRequest, Description, ModelInfo, VisualInput
from keepsight.models.cancellation import check_before_layers
from keepsight.models.checkpoint import load_tokenizer
from keepsight.models.decoding.attention_rows import RowRule, ScoreAccumulator
from keepsight.models.decoding.compiled_passes import CompiledDecoder
from keepsight.models.decoding.language_model import LanguageModel, PromptBatch
from keepsight.models.decoding.repetition import not_followed, published_penalty
from keepsight.models.decoding.replies import Draft, generate, single_reply, stream_text
from keepsight.models.decoding.scoring_attention import register_attention
from keepsight.models.finite import check_finite
from keepsight.models.footprint import FRAMES_PER_CLIP, ModelShape, describe_footprint
from keepsight.models.hardware.number_formats import sums_apart
from keepsight.models.layers import check_layers, resolve_layers, scale_layers, whole_layers
from keepsight.models.load_options import LoadOptions
from keepsight.models.placing import MappedModel
from keepsight.models.prompting.chat import ChatPrompts, PromptIds, VideoPlace
from keepsight.models.prompting.layout import Piece, PromptBuilder
from keepsight.models.prompting.positions import GridRule
from keepsight.models.published_files import check_penalty
from keepsight.models.registry import judging_style_of, settings_for
from keepsight.models.split_layers import device_of_modules, move_inputs
from keepsight.models.vision.batches import encode_batches, frames_in_batch
from keepsight.models.vision.preprocessing import FramePreprocessor, check_frame_size, make_preprocessor, read_settings

logger = logging.getLogger(__name__)


class VideoAdapter(ABC):
    """A transformers model as a `VideoModel`.

    Args:
        model: weights on their device; its text attention is set to the scoring function here.
        tokenizer: with the checkpoint's chat template.
        preprocessor: converts frames to pixels.
        info: model properties, including `score_layers`.

    Raises:
        SettingError: `score_layers` names layers that the model does not have.
        ModelError: the chat template does not render a video.
    """

    model_class: ClassVar[type[PreTrainedModel]]
    """The transformers class."""

    place: ClassVar[VideoPlace]
    """How the chat template marks a video."""

    takes_any_frame_size: ClassVar[bool] = False
    """Whether frames keep their aspect ratio, with their own token grid."""

    overflows_float16: ClassVar[bool] = False
    """Whether its numbers overflow float16."""

    frames_per_batch: ClassVar[int | None] = 16
    """Most frames per batch in the vision tower (`vision.batches`), a multiple of the frames per step; None for all at
    once, if frames of different steps see each other there."""

    can_compile: ClassVar[bool] = True
    """Whether all attention is causal, so that passes of fixed shape can be compiled."""

    can_draft: ClassVar[bool] = True
    """Whether tokens can be removed from the cache, as speculative drafts need."""

    def __init__(
        self, model: Any, tokenizer: PreTrainedTokenizerFast, preprocessor: FramePreprocessor, info: ModelInfo
    ) -> None:
        self._possible_layers = whole_layers(model.config.get_text_config())
        layers = check_layers(info.score_layers, self._possible_layers)
        model.set_attn_implementation({"text_config": register_attention(), "vision_config": "sdpa"})
        self._model: Any = model
        self._model.requires_grad_(False).train(False)
        check_before_layers(model)
        self._language = self.language_model(model)
        self._tokenizer = tokenizer
        self._preprocessor = preprocessor
        self._info = replace(info, score_layers=layers)
        self._prompts = ChatPrompts(tokenizer, self.place)
        self._builder = PromptBuilder(self, self._language.embed_ids, self._info)
        self._end_ids = _end_ids(model, tokenizer) | self._prompts.turn_end_ids
        self._compiled: CompiledDecoder | None = None
        self._language.repetition_penalty = published_penalty(model.generation_config)

    def penalise_repetition(self, penalty: float) -> None:
        """Use another repetition penalty than the checkpoint's from now on (`repetition`).

        Raises:
            SettingError: it is not from 0.01 to 100.
        """
        check_penalty(penalty)
        self._language.repetition_penalty = penalty

    def compile_passes(self, backend: Any = None) -> None:
        """Use compiled passes after prompts from now on: see `compiled_passes`.

        Args:
            backend: backend of `torch.compile`; None for inductor, which needs a C++ compiler on the CPU.

        Raises:
            SettingError: the architecture's attention does not allow it.
        """
        if not self.can_compile:
            raise SettingError(f"{self._info.architecture} cannot be compiled: not all its layers are causal attention")
        self._compiled = CompiledDecoder(self._language, backend)

    @classmethod
    def load(cls, folder: Path, options: LoadOptions) -> Self:
        """Load a checkpoint folder in Hugging Face format: safetensors weights, no code from the checkpoint.

        Args:
            folder: holds config, weights, tokenizer, chat template and preprocessor settings.
            options: device, number format and the like.

        Raises:
            ModelError: a file is missing or inconsistent.
            SettingError: `score_layers` names layers that the model does not have.
        """
        dtype, quantization = options.dtype, options.quantization
        mapped = MappedModel.open(cls.model_class, folder, options)
        num_parameters = mapped.num_parameters
        model = mapped.place(options, device_of_modules(mapped.target, options))
        move_inputs(model, options)
        settings = settings_for(cls, folder, options.tokens_per_frame)
        shape = replace(cls.shape(model.config, settings), num_parameters=num_parameters)
        frame_size = (shape.frame_height, shape.frame_width)
        if not cls.takes_any_frame_size:
            check_frame_size(settings, folder, frame_size)
        info = ModelInfo(
            name=options.name,
            checkpoint=options.checkpoint,
            fingerprint=options.fingerprint,
            choices=options.choices,
            architecture=type(model).__name__,
            num_parameters=num_parameters,
            device=options.device_names,
            dtype=str(dtype).removeprefix("torch."),
            memory_bytes=describe_footprint(
                shape,
                dtype.itemsize,
                quantization=quantization,
                device_type=options.device.type,
                frames_per_batch=cls.frames_per_batch or FRAMES_PER_CLIP,
                sums_apart=sums_apart(options.device, dtype),
            ).total_bytes,
            dim=shape.hidden_size,
            context_window_tokens=model.config.get_text_config().max_position_embeddings,
            frame_size_pixels=frame_size,
            token_grid=shape.token_grid,
            score_layers=cls.scored_layers(model.config) if options.score_layers is None else options.score_layers,
            frames_per_step=shape.frames_per_step,
            visual_dim=shape.visual_dim,
            quantization=quantization,
            judging_style=judging_style_of(folder),
        )
        adapter = cls(model, load_tokenizer(folder), make_preprocessor(settings, frame_size), info)
        if options.repetition_penalty is not None:
            adapter.penalise_repetition(options.repetition_penalty)
        if ignored := not_followed(model.generation_config):
            logger.warning("%s: %s in generation_config.json is not followed", options.name, ", ".join(ignored))
        if options.compile_passes:
            adapter.compile_passes()
        return adapter

    @classmethod
    def settings(cls, folder: Path) -> Mapping[str, Any]:
        """Preprocessor settings of a checkpoint: those for videos, if any."""
        return read_settings(folder)

    @classmethod
    def with_tokens_per_frame(cls, settings: Mapping[str, Any], tokens_per_frame: int) -> Mapping[str, Any]:
        """Preprocessor settings with another resolution, for models that keep a frame's aspect ratio.

        Args:
            settings: of the checkpoint.
            tokens_per_frame: visual tokens of a large square frame, at least 1.

        Raises:
            SettingError: all frames of the architecture have one size.
        """
        del settings
        raise SettingError(
            f"must be left out: {cls.model_class.__name__} takes frames of one size only, got {tokens_per_frame}",
            "tokens_per_frame",
        )

    @classmethod
    @abstractmethod
    def shape(cls, config: Any, settings: Mapping[str, Any]) -> ModelShape:
        """Sizes of a model, before reading any weight.

        Args:
            config: transformers configuration.
            settings: settings of the checkpoint's preprocessor.
        """

    @abstractmethod
    def encode_batch(self, frames: Sequence[np.ndarray]) -> Tensor:
        """Visual tokens of one batch of frames, at least one."""

    @abstractmethod
    def lay_out(self, ids: PromptIds, visual: VisualInput) -> list[Piece]:
        """Pieces of a prompt with memory, frames, or both, in place of the video.

        Must depend only on token counts: to count a prompt, it is laid out with tokens of width 0.
        """

    def token_grid(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns of tokens per step: see `VideoModel.token_grid`."""
        del height, width
        return self._info.token_grid

    def grid(self, visual: VisualInput) -> GridRule | None:
        """Position grid of frames, for models with three position axes."""
        del visual
        return None

    @classmethod
    def scored_layers(cls, config: Any) -> tuple[int, ...]:
        """Default scoring layers: the paper's, scaled to the model's depth."""
        text_config = config.get_text_config()
        return scale_layers(text_config.num_hidden_layers, whole_layers(text_config))

    @classmethod
    def language_model(cls, model: Any) -> LanguageModel:
        """The language model inside the video model."""
        return LanguageModel(model)

    @property
    def info(self) -> ModelInfo:
        """Properties of the model."""
        return self._info

    @torch.inference_mode()
    def encode(self, frames: Sequence[np.ndarray]) -> Tensor:
        """Visual tokens of frames in time order: see `VideoModel.encode`.

        Raises:
            SettingError: there are no frames.
            ModelError: a token is NaN or infinite.
        """
        if not frames:
            raise SettingError("frames must have at least one frame, got none")
        tokens = encode_batches(frames, self._batch_size(frames), self.encode_batch)
        return check_finite(tokens, "visual tokens", self._language.dtype)

    def describe(self, clip: VisualInput, request: DescribeRequest = DescribeRequest()) -> Description:
        """Caption a clip greedily and score its tokens: see `VideoModel.describe`."""
        draft = None
        if self.can_draft and request.recent_captions:
            draft = Draft([self._prompts.text_ids(caption) for caption in request.recent_captions])
        return _finished(self._describing([clip], request, draft))[0]

    def describe_batch(
        self, clips: Sequence[VisualInput], request: DescribeRequest = DescribeRequest()
    ) -> list[Description]:
        """Caption clips of several streams in one batch: see `BatchModel.describe_batch`."""
        return _finished(self._describing(clips, request))

    def describing(
        self, clips: Sequence[VisualInput], request: DescribeRequest = DescribeRequest()
    ) -> Generator[None, None, list[Description]]:
        """`describe_batch` as a generator of passes: see `BatchModel.describing`."""
        return self._describing(clips, request)

    def answer(self, request: AnswerRequest) -> Iterator[str]:
        """Answer a question, streaming pieces of text. A prompt that is too long raises at once."""
        visual, longest = request.visual, request.max_new_tokens
        if visual is not None and not len(visual.memory) + len(visual.tokens):
            visual = None
        ids = self._prompts.ids(question_text(request.context, request.question), with_video=visual is not None)
        batch = PromptBatch.of([self._builder.build(ids, visual, longest)])
        new_ids = generate(self._language, batch, self._end_ids, longest, compiled=self._compiled)
        return stream_text(single_reply(new_ids), self._decode)

    def answering(
        self, context: str, questions: Sequence[str], *, max_new_tokens: int = 256
    ) -> Generator[None, None, list[str]]:
        """Answer several questions in one batch, as a generator of passes: see `ManyAnswers.answering`."""
        prompts = [self._prompts.ids(question_text(context, question), with_video=False) for question in questions]
        batch = PromptBatch.of([self._builder.build(ids, None, max_new_tokens) for ids in prompts])
        return self._replying(batch, max_new_tokens)

    def embed(self, text: str) -> Tensor:
        """Mean input embedding of a text: see `VideoModel.embed`."""
        return self._language.mean_embedding(self._prompts.text_ids(text))

    def count_tokens(self, text: str) -> int:
        """Token count of a text as in a prompt."""
        return len(self._prompts.text_ids(text))

    def count_prompt_tokens(
        self,
        context: str,
        question: str,
        num_visual_tokens: int = 0,
        *,
        num_memory_tokens: int = 0,
        like: VisualInput | None = None,
    ) -> int:
        """Exact length of the prompt of `answer`: see `VideoModel.count_prompt_tokens`."""
        with_video = num_visual_tokens + num_memory_tokens > 0
        ids = self._prompts.ids(question_text(context, question), with_video=with_video)
        return self._builder.count(ids, num_memory_tokens, num_visual_tokens, like) if with_video else len(ids)

    def max_memory_tokens(
        self,
        num_visual_tokens: int,
        request: DescribeRequest = DescribeRequest(),
        *,
        like: VisualInput | None = None,
    ) -> int:
        """Memory tokens that still fit before a clip in `describe`: see `VideoModel.max_memory_tokens`."""
        ids = self._prompts.ids(request.prompt, with_video=True)
        return self._builder.max_memory_tokens(ids, num_visual_tokens, request.max_new_tokens, like)

    def _describing(
        self, clips: Sequence[VisualInput], request: DescribeRequest, draft: Draft | None = None
    ) -> Generator[None, None, list[Description]]:
        if not clips or not all(len(clip.tokens) for clip in clips):
            raise SettingError("a clip must have at least one visual token, got none")
        limit, scoring = request.max_new_tokens, request.scoring
        ids = self._prompts.ids(request.prompt, with_video=True)
        batch = PromptBatch.of([self._builder.build(ids, clip, limit) for clip in clips])
        layers = resolve_layers(scoring.layers, self._info.score_layers, self._possible_layers)
        rows = ScoreAccumulator(RowRule.covering(layers, scoring.heads, batch.clip_columns), batch.clip_columns)
        replies: list[list[int]] = [[] for _ in clips]
        for new in generate(
            self._language, batch, self._end_ids, limit, rows=rows, draft=draft, compiled=self._compiled
        ):
            for reply, ids_of_row in zip(replies, new, strict=True):
                reply += ids_of_row
            yield
        return [
            Description(
                caption=self._decode(reply).strip(),
                scores=check_finite(scores, "attention scores", self._language.dtype),
                num_caption_tokens=len(reply),
            )
            for reply, scores in zip(replies, rows.scores(), strict=True)
        ]

    def _replying(self, batch: PromptBatch, max_new_tokens: int) -> Generator[None, None, list[str]]:
        replies: list[list[int]] = [[] for _ in range(len(batch))]
        for new in generate(self._language, batch, self._end_ids, max_new_tokens, compiled=self._compiled):
            for reply, ids_of_row in zip(replies, new, strict=True):
                reply += ids_of_row
            yield
        return [self._decode(reply).strip() for reply in replies]

    def _batch_size(self, frames: Sequence[np.ndarray]) -> int:
        """Frames per batch; all at once if the first one's size determines the grid of others."""
        if self.frames_per_batch is None:
            return len(frames)
        if self.takes_any_frame_size and any(frame.shape != frames[0].shape for frame in frames):
            return len(frames)
        return frames_in_batch(self._info, self.frames_per_batch)

    def _pixels(self, frames: Sequence[np.ndarray], size: tuple[int, int] | None = None) -> Tensor:
        """Pixels of frames on the model's device and in its dtype, `[1, num_frames, 3, height, width]`."""
        pixels = self._preprocessor(frames, size, self._model.device)
        return pixels.to(self._model.dtype)

    def _decode(self, ids: Sequence[int]) -> str:
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=True))


def _finished(work: Generator[None, None, list[Description]]) -> list[Description]:
    """Run a generator of passes to its result."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            return list(end.value)


def _end_ids(model: Any, tokenizer: PreTrainedTokenizerFast) -> frozenset[int]:
    """End-of-reply ids of the generation settings and the tokenizer."""
    configured = model.generation_config.eos_token_id
    ids = configured if isinstance(configured, list) else [configured]
    return frozenset(token_id for token_id in (*ids, tokenizer.eos_token_id) if token_id is not None)
