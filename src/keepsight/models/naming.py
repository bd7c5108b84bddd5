"""What the name of a model stands for, known without loading it."""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from keepsight.errors import ModelError
from keepsight.method.model_info import ModelIdentity
from keepsight.models.registry import list_models

_SAMPLE_BYTES = 1 << 16

_HUB_VERSION = re.compile(r"(?P<id>[^/@\s]+/[^/@\s]+)@(?P<commit>[0-9a-f]{40})")


def identity_of(name: str) -> ModelIdentity:
    """Which model a name means here and now: bundled, a folder, or an id of the Hugging Face hub.

    The commit of a hub id without one is not known before it is asked for; the checkpoint is then the id.
    """
    for bundled in list_models():
        if name == bundled.name:
            return ModelIdentity(name, name, fingerprint_of(bundled.folder))
    if is_folder(name):
        return ModelIdentity(name, checkpoint_of(Path(name)), fingerprint_of(Path(name)))
    return ModelIdentity(name, name)


def checkpoint_of(folder: Path) -> str:
    """What a model folder is known by, wherever it is used from (`ModelIdentity.checkpoint`)."""
    return str(folder.resolve())


def fingerprint_of(folder: Path) -> str:
    """Digest of a checkpoint's configuration and weights, by the size, beginning, middle and end of each weight file.

    Other weights of the same shapes differ in it. It takes milliseconds, where a digest of all bytes takes minutes.

    Raises:
        ModelError: a file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        for path in [folder / "config.json", *sorted(folder.glob("*.safetensors"))]:
            size = path.stat().st_size
            digest.update(f"{path.name} {size}\n".encode())
            with path.open("rb") as file:
                for start in sorted({0, max(0, size // 2 - _SAMPLE_BYTES // 2), max(0, size - _SAMPLE_BYTES)}):
                    file.seek(start)
                    digest.update(file.read(_SAMPLE_BYTES))
    except OSError as error:
        raise ModelError(f"cannot read the model in {folder}: {error.strerror}") from error
    return digest.hexdigest()[:32]


def is_bundled(name: str) -> bool:
    """Whether a model of this name is in the package."""
    return any(name == bundled.name for bundled in list_models())


def is_folder(name: str) -> bool:
    """Whether it is the path of a model folder."""
    try:
        return (Path(name) / "config.json").is_file()
    except OSError:  # too long for a path
        return False


def pinned(name: str, checkpoints: Iterable[str]) -> str:
    """A hub id with the commit that it was used with; any other name as it is.

    What was remembered of one version of a model is not for another, and a cached version needs no network.

    Args:
        name: as given by the user.
        checkpoints: what models were used before (`ModelIdentity.checkpoint`), newest first.
    """
    if is_bundled(name) or is_folder(name):
        return name
    matches = (_HUB_VERSION.fullmatch(checkpoint) for checkpoint in checkpoints)
    return next((match[0] for match in matches if match and match["id"] == name), name)
