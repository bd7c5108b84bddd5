"""Reading of Hugging Face checkpoint folders: configuration, weights, tokenizer and chat template."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError, safe_open
from transformers import AutoConfig, PreTrainedModel, PreTrainedTokenizerFast
from transformers.utils import logging

from keepsight.errors import ModelError
from keepsight.models.json_files import read_object
from keepsight.models.loading_report import check_expert_shapes, check_report
from keepsight.models.published_files import shards_of

Weights = TypeVar("Weights", bound=PreTrainedModel)

_voice: Any = logging  # its functions are not annotated


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Silence transformers' progress bars and advice for the duration of a block."""
    verbosity, had_progress_bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    _voice.set_verbosity_error()
    _voice.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if had_progress_bar:
            _voice.enable_progress_bar()


def load_config(folder: Path) -> Any:
    """Configuration as transformers reads it.

    Where a video model's file does not say whether the head shares the embeddings' weights, its text model's settings
    do: a class's own default may contradict the weights, which transformers sees only when it reads them.

    Raises:
        ModelError: transformers rejects the configuration.
    """
    path = folder / "config.json"
    try:
        with quiet_transformers():
            config: Any = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        if "tie_word_embeddings" not in read_object(path):
            config.tie_word_embeddings = bool(getattr(config.get_text_config(), "tie_word_embeddings", False))
    except StrictDataclassError as error:
        raise ModelError(f"cannot use {path}: {' '.join(str(error).split())}") from error
    except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise ModelError(f"cannot use {path}: {_first_line(error)}") from error
    return config


@dataclass(frozen=True)
class StoredWeights:
    """Formats and shapes of a checkpoint's weights, from the headers of its safetensors files.

    Attributes:
        shapes: shape by name in the files.
        dtypes: format by name; None for one that is not floating-point numbers of 16 to 64 bits.
        other_formats: by name, what the files call the formats of those.
    """

    shapes: Mapping[str, tuple[int, ...]]
    dtypes: Mapping[str, torch.dtype | None]
    other_formats: Mapping[str, str]

    @classmethod
    def of(cls, folder: Path) -> "StoredWeights":
        """Read the headers.

        Raises:
            ModelError: a file is missing or damaged.
        """
        shapes: dict[str, tuple[int, ...]] = {}
        formats: dict[str, str] = {}
        try:
            for path in _weight_files(folder):
                with safe_open(path, "pt") as file:
                    for name in file.keys():  # noqa: SIM118 (not a mapping)
                        part = file.get_slice(name)
                        shapes[name] = tuple(part.get_shape())
                        formats[name] = part.get_dtype()
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            raise ModelError(f"cannot load the weights in {folder}: {_first_line(error)}") from error
        dtypes = {name: _FORMATS.get(one) for name, one in formats.items()}
        return cls(shapes, dtypes, {name: one for name, one in formats.items() if one not in _FORMATS})

    @property
    def only_dtype(self) -> torch.dtype | None:
        """The format of all floating-point weights; None if they have several."""
        found = {dtype for dtype in self.dtypes.values() if dtype is not None}
        return found.pop() if len(found) == 1 else None

    def num_values(self, name: str) -> int:
        """Number of values of a weight."""
        return math.prod(self.shapes[name])


_FORMATS = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


def _weight_files(folder: Path) -> list[Path]:
    """The safetensors files that transformers reads: one, or those that the index lists."""
    index = folder / "model.safetensors.index.json"
    if (whole := folder / "model.safetensors").is_file() or not index.is_file():
        return [whole]
    content = read_object(index)
    shards = shards_of(content, index)
    if not isinstance(content.get("metadata"), dict):  # which transformers reads
        raise ModelError(f'{index} must have its "metadata", which may be empty, {{}}; add it, or download it again')
    return [folder / file for file in shards]


def load_skeleton(model: Weights, stored: StoredWeights, dtype: torch.dtype) -> Weights:
    """A model in another format, whose weights are zeros without memory; its buffers are those of the format.

    Args:
        model: the model in its stored format.
        stored: names and shapes of its weights.
        dtype: wanted format.
    """
    nothing = torch.zeros((), dtype=dtype)
    placeholders = {name: nothing.expand(shape) for name, shape in stored.shapes.items()}
    with quiet_transformers():
        skeleton: Weights = type(model).from_pretrained(None, config=model.config, dtype=dtype, state_dict=placeholders)
    skeleton.config.name_or_path = model.config.name_or_path
    skeleton.generation_config = model.generation_config
    return skeleton


def load_weights(model_class: type[Weights], folder: Path, dtype: torch.dtype) -> Weights:
    """Model with the checkpoint's weights, on the CPU; those stored in `dtype` are views of the mapped files.

    Raises:
        UnsupportedModelError: a weight is stored in a format of quantized weights.
        ModelError: the safetensors files are missing, damaged, incomplete, or of another configuration.
    """
    stored = StoredWeights.of(folder)
    check_expert_shapes(stored.shapes, folder)
    try:
        with quiet_transformers():
            loaded: Any = model_class.from_pretrained(
                folder,
                dtype=dtype,
                use_safetensors=True,
                local_files_only=True,
                trust_remote_code=False,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # reported, not raised
            )
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RuntimeError, SafetensorError) as error:
        raise ModelError(f"cannot load the weights in {folder}: {_first_line(error)}") from error
    model: Weights = loaded[0]
    check_report(model, loaded[1], stored.other_formats, folder)
    return model


def load_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """Tokenizer from `tokenizer.json`, with the whole model's chat template.

    Older checkpoints have the template with videos in `chat_template.json` and a text-only one with the tokenizer, so
    the former wins.

    Raises:
        ModelError: there is no usable tokenizer or chat template.
    """
    if not (folder / "tokenizer.json").is_file():
        raise ModelError(f"{folder} has no tokenizer.json")
    try:
        with quiet_transformers():
            tokenizer = PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"cannot load the tokenizer in {folder}: {_first_line(error)}") from error
    if older := read_object(folder / "chat_template.json"):
        tokenizer.chat_template = older.get("chat_template")
    if not isinstance(tokenizer.chat_template, str | list | dict | None):
        raise ModelError(f"the chat template in {folder} must be text; download the model again")
    if not tokenizer.chat_template:
        raise ModelError(f"{folder} has no chat template (chat_template.jinja, or in tokenizer_config.json)")
    return tokenizer  # type: ignore[no-any-return]


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
