"""The command line: a thin face over the package."""

import sys
import warnings
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the `keepsight` command and end the process with its exit code.

    Args:
        arguments: words after the command's name; those of the process if None.
    """
    from keepsight.cli.app import run

    if not sys.warnoptions:  # a user who asks for warnings (python -W, PYTHONWARNINGS) gets them
        warnings.simplefilter("ignore")
    raise SystemExit(run(arguments))
