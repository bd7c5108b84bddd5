"""A server on loopback behind a real proxy that speaks TLS: each test with every proxy of the documents."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from keepsight.server.settings import ServerSettings
from tests.server.proxy.proxies import PROXIES, in_front_of
from tests.server.proxy.tls_client import NAME, TlsClient
from tests.server.served import Served

TOKEN = "a-token-for-tests-only"


@pytest.fixture(params=PROXIES)
def proxy_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def server_settings(server_settings: ServerSettings) -> ServerSettings:
    """As the documents have it: a token, and the proxy's name is allowed."""
    return replace(server_settings, token=TOKEN, allowed_hosts=(NAME,))


@pytest.fixture
def proxied(proxy_name: str, served: Served, tmp_path: Path) -> Iterator[TlsClient]:
    with in_front_of(proxy_name, served.client.port, tmp_path, TOKEN) as client:
        yield client


@pytest.fixture
def anybody(proxied: TlsClient) -> TlsClient:
    """Has no token."""
    return replace(proxied, token=None)
