"""Token ids and layer numbers of a configuration, checked against the sizes of the model that it describes.

transformers builds a model whose settings name tokens or layers that it does not have. The fault would show at the
first clip, as a failed index, or never: a reply that cannot end, or features that are left out.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from keepsight.errors import ModelError
from keepsight.models.json_files import REMEDY, read_object, shown

_ID_ENDINGS = ("_token_id", "_token_index")
_UNREAD = ("_", "audio_", "boa_", "eoa_")
"""Beginnings of names that nothing reads: of sound, and what transformers keeps for itself."""

_NONE = -1
"""Stands for no token in the settings of Llama models, where one that begins, ends or pads a text is named."""

_MAY_BE_NONE = ("bos_token_id", "eos_token_id", "pad_token_id")


def check_ranges(folder: Path, config: Any) -> None:
    """Check what config.json and generation_config.json say of tokens and of the tower's layers.

    Only what the files say is checked, since a class's defaults may lie beyond the vocabulary of a small model.

    Args:
        folder: the checkpoint's.
        config: its configuration as transformers reads it, with the defaults of its classes.

    Raises:
        ModelError: a token id is beyond the vocabulary, or a layer beyond the tower.
    """
    path = folder / "config.json"
    written = read_object(path)
    vocab_size = config.get_text_config().vocab_size
    if vocab_size < 1:
        return  # it cannot be built, which is said then
    for name, value in _token_ids(written):
        _check_ids(f"{name} in {path}", name, value, vocab_size)
    ends = folder / "generation_config.json"
    _check_ids(f"eos_token_id in {ends}", "eos_token_id", read_object(ends).get("eos_token_id"), vocab_size)
    num_layers = _num_layers(getattr(config, "vision_config", None))
    # Feature layers count the tower's input as 0, and may be counted from the end.
    _check_layers(f"vision_feature_layer in {path}", written.get("vision_feature_layer"), -num_layers - 1, num_layers)
    indexes = (written.get("vision_config") or {}).get("deepstack_visual_indexes")
    _check_layers(f"deepstack_visual_indexes in {path}", indexes, 0, num_layers - 1)


def _num_layers(tower: Any) -> int:
    return next((count for key in ("num_hidden_layers", "depth") if (count := getattr(tower, key, None))), 0)


def _token_ids(written: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Token ids of a configuration, by name, those of its language model included.

    Where that has settings of its own, nothing reads the padding token beside them: SmolVLM2 is published with one of
    another vocabulary there.
    """
    text = written.get("text_config")
    sections = [written] if text is None else [written, text]
    for section in sections:
        for name, value in section.items():
            is_unread = name.startswith(_UNREAD) or (name == "pad_token_id" and section is not sections[-1])
            if name.endswith(_ID_ENDINGS) and not is_unread:
                yield name, value


def _check_ids(what: str, name: str, value: Any, vocab_size: int) -> None:
    least = _NONE if name in _MAY_BE_NONE else 0
    for one in _listed(value):
        if not _is_whole(one) or not least <= one < vocab_size:
            raise ModelError(
                f"{what} must be a token id from 0 to {vocab_size - 1}, the vocabulary's last, got {shown(value)}; "
                f"{REMEDY}"
            )


def _check_layers(what: str, value: Any, first: int, last: int) -> None:
    for one in _listed(value):
        if not _is_whole(one) or not first <= one <= last:
            raise ModelError(
                f"{what} must be from {first} to {last}, the layers of the vision tower, got {shown(value)}; {REMEDY}"
            )


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
