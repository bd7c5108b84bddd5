"""Where a model is: in the package, in a folder, or on the Hugging Face hub. Nothing is downloaded here."""

from dataclasses import dataclass
from pathlib import Path

from keepsight.errors import UnknownModelError
from keepsight.incoming import closest, short
from keepsight.models.huggingface.names import HubName, closest_id, known_ids
from keepsight.models.naming import checkpoint_of, is_folder
from keepsight.models.registry import list_models


@dataclass(frozen=True)
class LocalModel:
    """A model whose files are all here.

    Attributes:
        folder: its files.
        checkpoint: bundled name, or absolute folder (`ModelIdentity.checkpoint`).
    """

    folder: Path
    checkpoint: str

    def fetch_weights(self) -> Path:
        """The folder: nothing has to be downloaded."""
        return self.folder


def find_model(name: str) -> LocalModel | HubName:
    """Where the model of a name is, in this order: bundled, in a folder, on the hub.

    Raises:
        UnknownModelError: the name is none of them.
    """
    for bundled in list_models():
        if name == bundled.name:
            return LocalModel(bundled.folder, name)
    folder = Path(name)
    if is_folder(name):
        return LocalModel(folder, checkpoint_of(folder))
    if _exists(folder):
        raise UnknownModelError(f"{name} is not a model folder: it has no config.json (bundled: {_bundled_names()})")
    found = HubName.parse(name)
    if found is None:
        raise _no_such_model(name)
    if found.revision is None and _is_in_folder_of_models(found, folder.parent):
        near = closest(folder.name, (one.name for one in _models_in(folder.parent)))
        advice = f"did you mean {folder.parent / near}?" if near else f"for the hub's model, give {name}@main"
        raise UnknownModelError(f"no folder {name}, though the folder {folder.parent} is here; {advice}")
    return found


def _exists(folder: Path) -> bool:
    try:
        return folder.exists()
    except OSError:  # too long for a path
        return False


def _is_in_folder_of_models(name: HubName, parent: Path) -> bool:
    """Whether `owner/name` is certainly meant as a path: a folder `owner` is here and has models, and no known
    publisher is called so.
    """
    owners = {one.partition("/")[0] for one in known_ids()}
    return name.owner not in owners and any(True for _ in _models_in(parent))


def _models_in(folder: Path) -> list[Path]:
    return [config.parent for config in sorted(folder.glob("*/config.json"))]


def _no_such_model(name: str) -> UnknownModelError:
    near = closest(name, (model.name for model in list_models())) or closest_id(name)
    if near:
        return UnknownModelError(f"no such model: '{short(name)}'; did you mean {near}?")
    return UnknownModelError(
        f"no such model: '{short(name)}'; give a bundled model ({_bundled_names()}), a local folder or a "
        "Hugging Face id such as llava-hf/llava-onevision-qwen2-0.5b-ov-hf"
    )


def _bundled_names() -> str:
    return ", ".join(model.name for model in list_models()) or "none"
