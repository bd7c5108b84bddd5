"""Loaders of published data sets. One more is one file with a loader and one line in `DATASETS`."""

from collections.abc import Callable, Mapping
from pathlib import Path

from keepsight.bench.datasets.cgbench import load_cgbench, load_cgbench_mini
from keepsight.bench.datasets.moviechat import load_moviechat
from keepsight.bench.datasets.nextqa import load_nextqa
from keepsight.bench.datasets.ovobench import load_ovobench
from keepsight.bench.datasets.rvs import load_rvs_ego, load_rvs_movie
from keepsight.bench.datasets.streamingbench import load_streamingbench
from keepsight.bench.datasets.vstream import load_vstream_ego, load_vstream_movie
from keepsight.bench.records import DataSet
from keepsight.errors import SettingError

__all__ = ["DATASETS", "Loader", "load_dataset"]

Loader = Callable[[Path], DataSet]
"""Reads a data set from the folder that it was downloaded to; its docstring says what the folder must hold."""

DATASETS: Mapping[str, Loader] = {
    "rvs-ego": load_rvs_ego,
    "rvs-movie": load_rvs_movie,
    "vstream-qa-ego": load_vstream_ego,
    "vstream-qa-movie": load_vstream_movie,
    "moviechat-1k": load_moviechat,
    "nextqa-mc": load_nextqa,
    "cgbench": load_cgbench,
    "cgbench-mini": load_cgbench_mini,
    "ovobench": load_ovobench,
    "streamingbench": load_streamingbench,
}
"""Loaders of the data sets that are read from a folder, by the name that `keepsight bench` knows them by."""


def load_dataset(name: str, folder: Path) -> DataSet:
    """Read a published data set.

    Args:
        name: a key of `DATASETS`.
        folder: where it was downloaded to.

    Raises:
        SettingError: there is no data set of this name.
        DataError: the folder does not hold what the loader's docstring says.
    """
    if name not in DATASETS:
        raise SettingError(f"there is no data set {name!r}; the data sets are {', '.join(DATASETS)}")
    return DATASETS[name](folder)
