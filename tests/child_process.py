"""Environment of Python processes that tests start and that import the tests' helpers."""

import os
from pathlib import Path

ROOT = Path(__file__).parents[1]


def importing_tests() -> dict[str, str]:
    """This process's environment, with the folder of the package `tests` on the path of imports."""
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
