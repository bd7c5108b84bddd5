"""The RTSP server of `rtsp_server.py` as a process that tests start, kill and start again."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("rtsp_server.py")
PYTHON = "/usr/bin/python3"
CHECK = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"


@dataclass
class Server:
    """The server's process, with its ports; may be killed and started again on the same ones."""

    ports: dict[str, int] = field(default_factory=dict)
    process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        wanted = ["--port", str(self.ports.get("port", 0)), "--digest-port", str(self.ports.get("digest_port", 0))]
        self.process = subprocess.Popen([PYTHON, str(SCRIPT), *wanted], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.ports = json.loads(self.process.stdout.readline())

    def kill(self) -> None:
        if self.process is not None and self.process.stdout is not None:
            os.kill(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process.stdout.close()

    def url(self, path: str, *, user: str = "", port: str = "port") -> str:
        return f"rtsp://{user}127.0.0.1:{self.ports[port]}{path}"


def require_server() -> None:
    reason = "needs /usr/bin/python3 with gi and GStreamer's RTSP server (see rtsp_server.py)"
    is_there = Path(PYTHON).exists() and subprocess.run([PYTHON, "-c", CHECK], capture_output=True).returncode == 0
    if not is_there and os.environ.get("KEEPSIGHT_REQUIRE_RTSP"):
        pytest.fail(reason)
    if not is_there:
        pytest.skip(reason)


@contextmanager
def running() -> Iterator[Server]:
    """A server that runs; skips where there is none, and fails where one is promised."""
    require_server()
    server = Server()
    server.start()
    try:
        yield server
    finally:
        server.kill()
