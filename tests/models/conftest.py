"""Random checkpoints, each written once per test run."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.models.random_model import ModelFolder, RandomShape, write_random_model


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


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """The models are so small that threads would only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
