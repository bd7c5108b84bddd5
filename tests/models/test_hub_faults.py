"""Faults of a download that a server on loopback cannot give."""

import errno
import os
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx2
import pytest
from huggingface_hub import constants
from huggingface_hub.errors import FileMetadataError, HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

from keepsight.models.huggingface.faults import DOWNLOAD_FAULTS, explain, size_text
from keepsight.models.huggingface.names import HubName

NAME = HubName("owner/name", "v1")
HUB = constants.ENDPOINT
CACHE = constants.HF_HUB_CACHE
FILE = "model.safetensors"


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "file", "message"),
    [
        (
            OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
            FILE,
            f"the disk is full while downloading {FILE}: free some space, or set HF_HOME to a folder on a larger disk",
        ),
        (
            PermissionError(errno.EACCES, os.strerror(errno.EACCES), CACHE),
            None,
            f"cannot write to the cache {CACHE}: Permission denied; set HF_HOME to a folder that you own",
        ),
        (
            OSError("Consistency check failed: file should be of size 4 but has size 2\nThis is usually due to"),
            FILE,
            f"the download of {FILE} broke off (Consistency check failed: file should be of size 4 but has size 2): "
            "run the same command again, files that arrived are kept",
        ),
        (
            httpx2.ReadTimeout(""),
            FILE,
            f"the download of {FILE} broke off (ReadTimeout): run the same command again, files that arrived are kept",
        ),
        (
            httpx2.ProxyError("407 Proxy Authentication Required"),
            None,
            f"the proxy refuses to reach {HUB} (407 Proxy Authentication Required): check HTTPS_PROXY",
        ),
        (
            caused(LocalEntryNotFoundError("many\nlines"), httpx2.ConnectError("Name or service not known")),
            None,
            f"cannot reach {HUB} (Name or service not known): check the network, or give a local folder or a bundled "
            "model, which need none",
        ),
        (
            OfflineModeIsEnabled("offline"),
            None,
            f"owner/name@v1 is not in the cache {CACHE}, and HF_HUB_OFFLINE is set: unset it to download the model, or "
            "give a local folder",
        ),
        (
            FileMetadataError("no header"),
            FILE,
            f"{HUB} does not answer as a Hugging Face hub does: check HF_ENDPOINT, the proxy, and whether the network "
            "wants you to log in",
        ),
    ],
)
def test_each_is_one_line_that_says_what_to_do(error: Exception, file: str | None, message: str) -> None:
    assert isinstance(error, DOWNLOAD_FAULTS)
    assert str(explain(error, NAME, file)) == message


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"Retry-After": "57"}, "in 57 s"),
        ({"Retry-After": " 0 "}, "in 0 s"),
        ({"Retry-After": "soon"}, "in some minutes"),
        ({"Retry-After": format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True)}, "in 0 s"),
        ({"RateLimit": '"api";r=0;t=31'}, "in 31 s"),
        ({"RateLimit": '"api";r=0'}, "in some minutes"),
        ({}, "in some minutes"),
    ],
)
def test_a_limit_says_how_long_to_wait(headers: dict[str, str], wait: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_any")
    response = httpx2.Response(429, headers=headers, request=httpx2.Request("GET", HUB))
    fault = explain(HfHubHTTPError("too many", response=response), NAME)
    assert str(fault) == f"{HUB} limits your requests: retry {wait}"


def test_sizes_are_in_decimal_units() -> None:
    assert [size_text(size) for size in (0, 2_340_000, 999_000_000, 15_240_000_000)] == [
        "0.0 MB",
        "2.3 MB",
        "999.0 MB",
        "15.2 GB",
    ]
