"""A random model with a language side, for methods that work on keys and values."""

import pytest

from keepsight.method.protocol import VideoModel
from keepsight.models.loading import load_model
from tests.models.random_model import RandomShape, write_random_model


@pytest.fixture(scope="session")
def random_model(tmp_path_factory: pytest.TempPathFactory) -> VideoModel:
    folder = write_random_model(tmp_path_factory.mktemp("model"), RandomShape(num_layers=2, grid=4, seed=3))
    return load_model(folder, device="cpu")
