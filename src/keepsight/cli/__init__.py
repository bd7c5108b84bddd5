"""The command line: a thin face over the package."""

import logging
import sys
import warnings
from collections.abc import Sequence

_TALKATIVE = ("torchao", "torch.utils._pytree")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the `keepsight` command and end the process with its exit code.

    Args:
        arguments: words after the command's name; those of the process if None.
    """
    from keepsight.cli.app import run

    if not sys.warnoptions:  # a user who asks for warnings (python -W, PYTHONWARNINGS) gets them
        warnings.simplefilter("ignore")
        for name in _TALKATIVE:  # remarks at import, about kernels that this machine has no use for
            logging.getLogger(name).setLevel(logging.ERROR)
    raise SystemExit(run(arguments))
