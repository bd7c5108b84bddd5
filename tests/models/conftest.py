"""Random checkpoints, each written once per test run."""

from pathlib import Path

import pytest
from random_model import ModelFolder, RandomShape, write_random_model


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    """Folder of a random checkpoint of the given sizes (`RandomShape`'s fields)."""
    written: dict[RandomShape, Path] = {}

    def folder(**sizes: int) -> Path:
        shape = RandomShape(**sizes)
        if shape not in written:
            written[shape] = write_random_model(tmp_path_factory.mktemp("model"), shape)
        return written[shape]

    return folder
