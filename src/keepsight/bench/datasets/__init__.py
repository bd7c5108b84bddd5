"""Loaders of published data sets.

To add one, write a loader in its own file and list it in `DATASETS`, or register a plug-in.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from keepsight.bench.datasets.cgbench import load_cgbench, load_cgbench_mini
from keepsight.bench.datasets.egoschema import load_egoschema
from keepsight.bench.datasets.lvbench import load_lvbench
from keepsight.bench.datasets.moviechat import load_moviechat
from keepsight.bench.datasets.nextqa import load_nextqa
from keepsight.bench.datasets.ovobench import load_ovobench
from keepsight.bench.datasets.rvs import load_rvs_ego, load_rvs_movie
from keepsight.bench.datasets.streamarena import load_streamarena
from keepsight.bench.datasets.streamingbench import load_streamingbench
from keepsight.bench.datasets.videomme import load_videomme
from keepsight.bench.datasets.vstream import load_vstream_ego, load_vstream_movie
from keepsight.bench.datasets.xstream import load_xstream
from keepsight.bench.records import DataSet
from keepsight.errors import SettingError
from keepsight.plugins import Group

__all__ = ["DATASETS", "DATASET_GROUP", "Loader", "load_dataset"]

Loader = Callable[[Path], DataSet]
"""Reads a data set from its download folder, whose required content is in the loader's docstring."""

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
    "streamarena": load_streamarena,
    "xstream": load_xstream,
    "videomme": load_videomme,
    "lvbench": load_lvbench,
    "egoschema": load_egoschema,
}
"""Built-in loaders of data sets, by their names in `keepsight bench`."""

DATASET_GROUP = Group("keepsight.bench_datasets", "data set", tuple(DATASETS), is_dataclass=False)
"""All loaders, including plug-ins."""


def load_dataset(name: str, folder: Path) -> DataSet:
    """Read a published data set.

    Args:
        name: a key of `DATASETS`, or that of a plug-in.
        folder: its download folder.

    Raises:
        SettingError: no such data set, or its plug-in cannot be loaded.
        DataError: the folder does not match the loader's docstring.
        PlugInError: the loader is a plug-in that fails.
    """
    plug_in = DATASET_GROUP.find(name)
    loader: Loader = DATASETS[name] if plug_in is None else DATASET_GROUP.load(plug_in)
    with DATASET_GROUP.calling(loader, "loading"):
        data_set = loader(folder)
        if not isinstance(data_set, DataSet):
            raise SettingError(f"the result must be a DataSet, got {type(data_set).__name__}")
    return data_set
