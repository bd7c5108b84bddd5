"""A bundled model that answers from text: its decoder without the vision tower, and without transformers."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from safetensors import SafetensorError, safe_open
from torch import Tensor

from keepsight.errors import ModelError, SettingError
from keepsight.method.model_info import AnswerAuthor, JudgingStyle, ModelIdentity
from keepsight.method.prompts import question_text
from keepsight.method.protocol import AnswerRequest, VisualInput
from keepsight.models.decoding.language_model import LanguageModel, PromptBatch
from keepsight.models.decoding.replies import generate, single_reply, stream_text
from keepsight.models.json_files import read_object
from keepsight.models.naming import identity_of
from keepsight.models.prompting.chat import ChatPrompts, VideoPlace
from keepsight.models.prompting.layout import assemble, check_length
from keepsight.models.registry import judging_style_of
from keepsight.models.text_only.decoder import DecoderShape, TextCache, TextLanguage
from keepsight.models.text_only.tokenizer import PlainTokenizer

_PLACES = {
    "llava_onevision": VideoPlace("<video>"),
    "qwen2_5_vl": VideoPlace("<|vision_start|><|video_pad|><|vision_end|>"),
}
"""How the chat template marks a video, by the checkpoint's `model_type`."""

_DECODER_PREFIXES = ("language_model.model.", "model.")
"""What may stand before the names of the decoder's tensors; a file has one of them."""


@dataclass(frozen=True)
class TextModelInfo:
    """Properties of a model that answers from text (`protocol.AnsweringInfo`), and its size.

    Attributes:
        name: bundled name.
        dim: width of text embeddings.
        context_window_tokens: limit of prompt plus reply.
        device: `cpu`.
        dtype: `float32`.
        num_parameters: weights of the decoder.
        identity: which model it is.
        judging_style: prompt form for judging standing questions.
    """

    name: str
    dim: int
    context_window_tokens: int
    device: str
    dtype: str
    num_parameters: int
    identity: ModelIdentity
    judging_style: JudgingStyle = "plain"

    @property
    def author(self) -> AnswerAuthor:
        """Who writes its answers."""
        return AnswerAuthor(self.name)


class TextModel:
    """A model that answers from text (`protocol.AnsweringModel`), on the CPU in float32.

    Args:
        name: bundled name.
        weights: as for `TextLanguage`.
        shape: sizes of the decoder.
        tokenizer: the checkpoint's.
        place: how its chat template marks a video.
        end_ids: ids that end a reply, besides those of tokenizer and template.
        judging_style: prompt form for judging standing questions.
    """

    def __init__(
        self,
        name: str,
        weights: dict[str, Tensor],
        shape: DecoderShape,
        tokenizer: PlainTokenizer,
        place: VideoPlace,
        end_ids: frozenset[int],
        judging_style: JudgingStyle = "plain",
    ) -> None:
        self._tokenizer = tokenizer
        self._prompts = ChatPrompts(tokenizer, place)
        self._language = LanguageModel(TextLanguage(weights, shape))
        ending = tokenizer.special_id("eos_token")
        self._end_ids = end_ids | self._prompts.turn_end_ids | ({ending} if ending is not None else set())
        num_parameters = sum(tensor.numel() for tensor in weights.values())
        self.info = TextModelInfo(
            name,
            shape.dim,
            shape.context_window_tokens,
            "cpu",
            "float32",
            num_parameters,
            identity_of(name),
            judging_style,
        )

    @classmethod
    def load(cls, name: str, folder: Path) -> Self:
        """Load the decoder of a bundled model.

        Raises:
            UnsupportedModelError: the decoder differs from the one here.
            ModelError: a file is missing or damaged.
        """
        config = read_object(folder / "config.json", is_needed=True)
        ending = read_object(folder / "generation_config.json", is_needed=True).get("eos_token_id", ())
        shape = DecoderShape.of(config)
        return cls(
            name,
            _decoder_weights(folder / "model.safetensors", shape),
            shape,
            PlainTokenizer.load(folder),
            _PLACES[config["model_type"]],
            frozenset({ending} if isinstance(ending, int) else ending),
            judging_style_of(folder),
        )

    def answer(self, request: AnswerRequest) -> Iterator[str]:
        """Answer a question from captions: see `VideoModel.answer`.

        Raises:
            SettingError: the request has visual tokens.
        """
        if request.visual is not None:
            raise SettingError(f"{self.info.name} was loaded to answer from text; load the whole model for frames")
        ids = self._prompts.ids(question_text(request.context, request.question), with_video=False)
        check_length(len(ids), request.max_new_tokens, self.info.context_window_tokens)
        batch = PromptBatch.of([assemble([ids.before], self._language.embed_ids)])
        cache: Any = TextCache()
        new_ids = generate(self._language, batch, self._end_ids, request.max_new_tokens, cache=cache)
        return stream_text(single_reply(new_ids), self._tokenizer.decode)

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
        """Exact length of the prompt of `answer`: see `VideoModel.count_prompt_tokens`.

        Raises:
            SettingError: the prompt has visual tokens.
        """
        if num_visual_tokens or num_memory_tokens or like is not None:
            raise SettingError(f"{self.info.name} was loaded to answer from text; load the whole model for frames")
        return len(self._prompts.ids(question_text(context, question), with_video=False))


def _decoder_weights(path: Path, shape: DecoderShape) -> dict[str, Tensor]:
    """Float32 tensors of the decoder, by their names without the prefix; the vision tower is not read.

    Raises:
        ModelError: the file is damaged or incomplete.
    """
    try:
        with safe_open(path, framework="pt") as file:
            found = {
                name.removeprefix(prefix): file.get_tensor(name).float()
                for prefix in _DECODER_PREFIXES
                for name in file.keys()  # noqa: SIM118 - not a mapping
                if name.startswith(prefix)
            }
    except (OSError, SafetensorError) as error:
        raise ModelError(f"cannot load the weights in {path.parent}: {error}; install Keepsight again") from error
    if missing := sorted(shape.weight_names - found.keys()):
        raise ModelError(
            f"the weights in {path.parent} lack {len(missing)} tensors, first {missing[0]}; install Keepsight again"
        )
    return found
