"""The command line: a thin interface to the package."""

import io
import os
import sys
import warnings
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the `keepsight` command and exit with its code.

    Args:
        arguments: arguments after the command's name; None for those of the process.
    """
    _open_closed_streams()
    from keepsight.cli.app import run
    from keepsight.cli.collection import skip_last_collection

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # characters missing from the terminal's encoding are escaped
            stream.reconfigure(errors="backslashreplace")
    if not sys.warnoptions:  # a user may ask for warnings (python -W, PYTHONWARNINGS)
        warnings.simplefilter("ignore")
    code = run(arguments)
    skip_last_collection()
    raise SystemExit(code)


def _open_closed_streams() -> None:
    """Point closed standard streams at /dev/null, since their descriptors would go to the next opened files.

    Raises:
        SystemExit: stdout is closed, so no output could be written.
    """
    is_stdout_closed = sys.stdout is None
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free descriptor
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", closefd=False)
    if is_stdout_closed:
        sys.stderr.write("keepsight: cannot write the output: stdout is closed\n")
        sys.stderr.flush()
        raise SystemExit(2)
