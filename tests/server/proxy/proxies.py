"""Real proxies in front of a server, each with the block that the documents show."""

import os
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.server.proxy.tls_client import NAME, TlsClient, write_certificate
from tests.server.served import PATIENCE_SECONDS

DEPLOY = Path(__file__).parents[3] / "docs" / "deploy"

_NGINX = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/bodies;
    proxy_temp_path {folder}/answers;
    fastcgi_temp_path {folder}/unused-1;
    uwsgi_temp_path {folder}/unused-2;
    scgi_temp_path {folder}/unused-3;
    include {folder}/shown.conf;
}}
"""

_CADDY = """
{{
    admin off
    auto_https disable_redirects
    storage file_system {folder}/store
}}
import {folder}/shown.conf
"""


@dataclass(frozen=True)
class Place:
    """Where a proxy runs.

    Attributes:
        folder: for its files.
        port: of the proxy on loopback.
        server_port: of the server on loopback, which may begin later and be begun again.
        certificate: what it shows.
        key: the certificate's.
    """

    folder: Path
    port: int
    server_port: int
    certificate: Path
    key: Path

    def write(self, main: str, shown: str, *changes: tuple[str, str]) -> Path:
        """The main file with the block that is shown, in which this place's ports and files are put."""
        for old, new in (("127.0.0.1:8765", f"127.0.0.1:{self.server_port}"), *changes):
            assert shown.count(old) == 1, old
            shown = shown.replace(old, new)
        (self.folder / "shown.conf").write_text(shown)
        (self.folder / "main.conf").write_text(main.format(folder=self.folder))
        return self.folder / "main.conf"


def _nginx(place: Place) -> list[str]:
    main = place.write(
        _NGINX,
        (DEPLOY / "nginx.conf").read_text(),
        ("listen 443 ", f"listen 127.0.0.1:{place.port} "),
        (f"/etc/ssl/{NAME}/fullchain.pem", str(place.certificate)),
        (f"/etc/ssl/{NAME}/privkey.pem", str(place.key)),
    )
    return ["-e", "stderr", "-p", str(place.folder), "-c", str(main)]


def _caddy(place: Place) -> list[str]:
    """With a certificate of the test's: Caddy would ask an authority for one."""
    address = f"https://{NAME}:{place.port} {{\n    bind 127.0.0.1\n    tls {place.certificate} {place.key}"
    main = place.write(_CADDY, (DEPLOY / "Caddyfile").read_text(), (f"{NAME} {{", address))
    return ["run", "--adapter", "caddyfile", "--config", str(main)]


PROXIES: dict[str, Callable[[Place], list[str]]] = {"nginx": _nginx, "caddy": _caddy}
"""By name: writes the configuration and gives the program's words."""


def require(name: str) -> str:
    """The program; skips where there is none, and fails where one is promised."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    promise = f"KEEPSIGHT_REQUIRE_{name.upper()}"
    if found is None and os.environ.get(promise) == "1":
        pytest.fail(f"{promise} is set, but there is no {name}")
    if found is None:
        pytest.skip(f"no {name} on this machine")
    return found


@contextmanager
def in_front_of(name: str, server_port: int, folder: Path, token: str | None = None) -> Iterator[TlsClient]:
    """A proxy as a process of its own for as long as the block, and a client that asks through it."""
    program = require(name)
    place = Place(folder, free_port(), server_port, *write_certificate(folder))
    command = [program, *PROXIES[name](place)]
    of_its_own = os.environ | {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with (folder / "said.txt").open("w+") as said, subprocess.Popen(command, stderr=said, env=of_its_own) as process:
        try:
            wait_for_port(place.port, process, folder / "said.txt")
            yield TlsClient(place.port, token, ssl.create_default_context(cafile=str(place.certificate)))
        finally:
            process.terminate()
            process.wait(PATIENCE_SECONDS)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def wait_for_port(port: int, process: subprocess.Popen[bytes], said: Path) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        assert process.poll() is None, said.read_text()
        assert time.monotonic() < end, said.read_text()
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
