"""Download of models from the Hugging Face hub into its cache.

The first request is for config.json of the revision, which tells whether the model is there and may be read, and its
commit; all other files are of that commit. The weights, whose sizes are known by then, come last and one by one, so
that an interrupted download keeps whole files, and a cache with all weights has everything.
"""

import logging
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from huggingface_hub import (
    HfApi,
    constants,
    get_hf_file_metadata,
    hf_hub_download,
    hf_hub_url,
    is_offline_mode,
    try_to_load_from_cache,
)
from huggingface_hub.errors import RemoteEntryNotFoundError, RevisionNotFoundError
from huggingface_hub.utils import logging as hub_logging

from keepsight.errors import ModelDownloadError, ModelError, UnknownModelError
from keepsight.models.huggingface.faults import (
    DOWNLOAD_FAULTS,
    GO_ON,
    cache_folder,
    explain,
    not_a_hub,
    offline,
    offline_in_part,
    size_text,
    too_little_disk,
)
from keepsight.models.huggingface.names import HubName
from keepsight.models.huggingface.progress import SilentBar, say, shown_download
from keepsight.models.json_files import read_object
from keepsight.models.published_files import shards_of

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
WEIGHTS_INDEX = "model.safetensors.index.json"
_AGAIN = "delete it and run the same command again"
_SMALL_FILES = ("*.json", "*.jinja")
_OTHER_WEIGHTS = (".bin", ".pt", ".pth", ".ckpt", ".gguf", ".h5", ".msgpack", ".onnx", ".safetensors")


@dataclass(frozen=True)
class Snapshot:
    """A model of the hub at one commit, in the hub's cache.

    Attributes:
        name: name that was asked for.
        folder: its files, all but the weights at first.
        sizes: size in bytes of each file on the hub; empty if the hub was not asked.
    """

    name: HubName
    folder: Path
    sizes: Mapping[str, int]

    @property
    def checkpoint(self) -> str:
        """`owner/name@commit` (`ModelIdentity.checkpoint`); the cache names a snapshot's folder by its commit."""
        return f"{self.name.repo_id}@{self.folder.name}"

    def missing(self) -> tuple[str, ...]:
        """Files of the weights that are not in the cache.

        Raises:
            ModelError: the index of the weights is damaged.
        """
        return tuple(file for file in self._weight_files() if not (self.folder / file).is_file())

    def fetch_weights(self) -> Path:
        """Download the weights that are not cached, and return the folder.

        Raises:
            ModelDownloadError: the disk has too little space, or the download fails.
            ModelError: the weights are incomplete on the hub.
        """
        missing = self.missing()
        if not missing:
            return self.folder
        for file in missing:
            if file not in self.sizes:
                raise ModelError(f"{self.name} lacks {file}, which its {WEIGHTS_INDEX} names: give another revision")
        total_bytes = sum(self.sizes[file] for file in missing)
        free_bytes = shutil.disk_usage(self.folder).free
        if total_bytes > free_bytes:
            raise too_little_disk(self.name, total_bytes, free_bytes)
        what = f"downloading {self.name}, {size_text(total_bytes)}, to {cache_folder()}"
        try:
            with shown_download(what, total_bytes) as progress, _quiet_hub():
                for file in missing:
                    _fetch(self.name, file, self.folder.name, progress.of_file(file))
        except KeyboardInterrupt:
            say(f"stopped the download of {self.name}: {GO_ON}")
            raise
        return self.folder

    def _weight_files(self) -> tuple[str, ...]:
        """One file, or the shards of an index: what transformers would read."""
        index = self.folder / WEIGHTS_INDEX
        if WEIGHTS in self.sizes or (self.folder / WEIGHTS).is_file() or not index.is_file():
            return (WEIGHTS,)
        return shards_of(read_object(index, remedy=_AGAIN), index, _AGAIN)


def find_snapshot(name: HubName) -> Snapshot:
    """A model of the hub with all its files but the weights, downloaded unless cached.

    A whole model in the cache is enough if the hub cannot be reached or refuses, or if the revision is a commit.

    Raises:
        UnknownModelError: no such model or revision, or it is not in Hugging Face format.
        ModelDownloadError: the hub cannot be reached, or refuses.
    """
    cached = _cached(name)
    missing = () if cached is None else cached.missing()
    if cached is not None and not missing and (is_offline_mode() or name.is_commit):
        return cached
    if is_offline_mode():
        raise offline_in_part(name, missing[0]) if missing else offline(name)
    try:
        with _quiet_hub():
            return _ask(name, cached)
    except (ModelDownloadError, *DOWNLOAD_FAULTS) as error:
        fault = error if isinstance(error, ModelDownloadError) else explain(error, name)
        if cached is None or isinstance(error, RevisionNotFoundError | RemoteEntryNotFoundError):
            raise fault from error
        if missing:
            raise ModelDownloadError(f"{fault}; the cache has only part of it, without {missing[0]}") from error
        say(f"{fault}; the cached copy is used, commit {cached.folder.name}")
        return cached


def _cached(name: HubName) -> Snapshot | None:
    """What the cache has of a model, without asking the hub; None for nothing."""
    config = try_to_load_from_cache(name.repo_id, CONFIG, revision=name.revision)
    return Snapshot(name, Path(config).parent, {}) if isinstance(config, str) else None


def _ask(name: HubName, cached: Snapshot | None) -> Snapshot:
    """Ask the hub, and download the small files."""
    url = hf_hub_url(name.repo_id, CONFIG, revision=name.revision)
    commit = get_hf_file_metadata(url).commit_hash
    if commit is None:
        raise not_a_hub()
    if cached is None or cached.folder.name != commit:
        # By branch or tag, not by commit: the cache then knows the branch's commit, too, for when there is no network.
        config = hf_hub_download(name.repo_id, CONFIG, revision=name.revision, tqdm_class=SilentBar)
        cached = Snapshot(name, Path(config).parent, {})
    commit = cached.folder.name
    sizes = _sizes(name, commit)
    if WEIGHTS not in sizes and WEIGHTS_INDEX not in sizes:
        raise _no_safetensors(name, sizes)
    for file in sizes:
        if any(fnmatch(file, pattern) for pattern in _SMALL_FILES):
            _fetch(name, file, commit)
    return Snapshot(name, cached.folder, sizes)


def _sizes(name: HubName, commit: str) -> dict[str, int]:
    listed = HfApi().model_info(
        name.repo_id, revision=commit, files_metadata=True, timeout=constants.HF_HUB_ETAG_TIMEOUT
    )
    return {file.rfilename: file.size or 0 for file in listed.siblings or ()}


def _fetch(name: HubName, file: str, commit: str, bar: Any = SilentBar) -> None:
    """Download a file unless it is cached.

    Raises:
        ModelDownloadError: see `explain`.
    """
    if isinstance(try_to_load_from_cache(name.repo_id, file, revision=commit), str):
        return
    try:
        # Asked first, since `hf_hub_download` would wait and retry for minutes at a limit or a fault, without a word.
        get_hf_file_metadata(hf_hub_url(name.repo_id, file, revision=commit))
        hf_hub_download(name.repo_id, file, revision=commit, tqdm_class=bar)
    except DOWNLOAD_FAULTS as error:
        raise explain(error, name, file) from error


def _no_safetensors(name: HubName, sizes: Mapping[str, int]) -> UnknownModelError:
    other = sorted(file for file in sizes if file.endswith(_OTHER_WEIGHTS))
    has = f"only {other[0]}" if other else "no weights at all"
    return UnknownModelError(
        f"{name} has no {WEIGHTS}, {has}: give a model with safetensors weights, as others could run code"
    )


@contextmanager
def _quiet_hub() -> Iterator[None]:
    """Silence the hub's library, whose retries would be written over the bar; what fails is raised."""
    verbosity = hub_logging.get_verbosity()
    hub_logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        hub_logging.set_verbosity(verbosity)
