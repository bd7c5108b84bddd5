"""Reading of Hugging Face checkpoint folders: configuration, weights, tokenizer and chat template."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from transformers import AutoConfig, PreTrainedModel, PreTrainedTokenizerFast
from transformers.utils import logging

from keepsight.errors import ModelError

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

    Raises:
        ModelError: transformers rejects the configuration.
    """
    try:
        with quiet_transformers():
            return AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ModelError(f"cannot use {folder / 'config.json'}: {_first_line(error)}") from error


def load_weights(model_class: type[Weights], folder: Path, dtype: torch.dtype) -> Weights:
    """Model with the checkpoint's weights, on the CPU.

    Raises:
        ModelError: the safetensors file is missing, damaged or incomplete.
    """
    try:
        with quiet_transformers():
            loaded: Any = model_class.from_pretrained(
                folder,
                dtype=dtype,
                use_safetensors=True,
                local_files_only=True,
                trust_remote_code=False,
                output_loading_info=True,
            )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise ModelError(f"cannot load the weights in {folder}: {_first_line(error)}") from error
    model: Weights = loaded[0]
    report: dict[str, Any] = loaded[1]
    if missing := sorted(report["missing_keys"]):
        raise ModelError(
            f"the weights in {folder} lack {len(missing)} tensors, first {missing[0]}; download the model again"
        )
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
        if (older := folder / "chat_template.json").is_file():
            tokenizer.chat_template = json.loads(older.read_text(encoding="utf-8"))["chat_template"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"cannot load the tokenizer in {folder}: {_first_line(error)}") from error
    if not tokenizer.chat_template:
        raise ModelError(f"{folder} has no chat template (chat_template.jinja, or in tokenizer_config.json)")
    return tokenizer  # type: ignore[no-any-return]


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
