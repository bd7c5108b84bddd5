"""The command line in a process of its own, whose hub is given by the environment; one start serves many commands.

The hub's library reads `HF_ENDPOINT`, `HF_HOME` and `HF_HUB_OFFLINE` when it is imported.
"""

import json
import os
import subprocess
import sys
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Self
from unittest import mock


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str


class CommandLine:
    """Runs commands of `keepsight`, one after the other.

    Args:
        folder: working folder; the cache is in it.
        variables: of the environment, beside those of this process that are not the hub's.
    """

    def __init__(self, folder: Path, **variables: str) -> None:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "HUGGING"))}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.models.hub_client"],
            env=kept | {"HF_HOME": str(folder / "home"), "PYTHONPATH": os.pathsep.join(sys.path)} | variables,
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    @property
    def process_id(self) -> int:
        """Of the process that runs the commands."""
        return self._process.pid

    def run(self, *arguments: object, token: str | None = None, waits: bool = True, on_terminal: bool = False) -> Ran:
        """Run a command.

        Args:
            arguments: of the command line.
            token: of the hub.
            waits: whether the hub's library waits before it tries again.
            on_terminal: whether stderr says that it is a terminal.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        asked = {
            "arguments": [str(one) for one in arguments],
            "token": token,
            "waits": waits,
            "on_terminal": on_terminal,
        }
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        return Ran(**json.loads(self._process.stdout.readline()))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._process:  # closes its input, at which it ends
            pass


class Terminal(StringIO):
    """What is written to a terminal."""

    def isatty(self) -> bool:
        return True


def main() -> None:
    """Run commands from stdin, in JSON lines, until it is closed."""
    from keepsight.cli.app import run

    replies = sys.stdout
    for line in sys.stdin:
        asked = json.loads(line)
        out, err = StringIO(), Terminal() if asked["on_terminal"] else StringIO()
        with ExitStack() as stack:
            for block in (redirect_stdout(out), redirect_stderr(err)):
                stack.enter_context(block)
            if asked["token"] is not None:
                stack.enter_context(mock.patch.dict(os.environ, {"HF_TOKEN": asked["token"]}))
            if not asked["waits"]:
                stack.enter_context(mock.patch("huggingface_hub.file_download.time.sleep"))
            code = run(asked["arguments"])
        replies.write(json.dumps({"code": code, "out": out.getvalue(), "err": err.getvalue()}) + "\n")
        replies.flush()


if __name__ == "__main__":
    main()
