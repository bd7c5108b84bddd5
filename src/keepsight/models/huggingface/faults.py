"""What went wrong with a download from the Hugging Face hub, and what to do next, in one line each."""

import errno
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx2
from huggingface_hub import constants, get_token
from huggingface_hub.errors import (
    DisabledRepoError,
    FileMetadataError,
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from keepsight.errors import ModelDownloadError, ModelError, UnknownModelError
from keepsight.incoming import short
from keepsight.models.huggingface.names import HubName, closest_id

DOWNLOAD_FAULTS = (httpx2.HTTPError, OSError, ValueError, RuntimeError)
"""What the hub's library and its transports raise: replies and lost connections, files that have another size or cannot
be written, replies that are not JSON, faults of the Xet storage.
"""

GO_ON = "run the same command again, files that arrived are kept"
"""What to do after a download that broke off or was stopped."""

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_UNWRITABLE = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_RESET = re.compile(r";\s*t=(\d+)")
"""Seconds until a limit ends, in a `RateLimit` header as the hub sends it: `"api";r=0;t=57`."""

_LONGEST_REASON = 200
_BAD_TOKEN = "invalid credentials"


def explain(error: BaseException, name: HubName, file: str | None = None) -> ModelError:
    """The error to raise instead of one of `DOWNLOAD_FAULTS`.

    Args:
        error: raised by the hub's library.
        name: model that was asked for.
        file: file that was being downloaded; None while the hub was asked about the model.
    """
    if isinstance(error, LocalEntryNotFoundError) and error.__cause__ is not None:
        return explain(error.__cause__, name, file)
    if isinstance(error, HfHubHTTPError):
        return _explain_reply(error, name, file)
    if isinstance(error, OfflineModeIsEnabled):
        return offline(name)
    if isinstance(error, FileMetadataError):
        return not_a_hub()
    if isinstance(error, httpx2.TransportError) and file is None:
        return _unreachable(error)
    if isinstance(error, OSError) and error.errno in _FULL:
        return ModelDownloadError(f"the disk is full while downloading {file or name}: {_FREE_DISK}")
    if isinstance(error, OSError) and error.errno in _UNWRITABLE:
        return ModelDownloadError(
            f"cannot write to the cache {cache_folder()}: {error.strerror}; set HF_HOME to a folder that you own"
        )
    if file is None:
        return not_a_hub()
    again = GO_ON
    if isinstance(error, RuntimeError):
        again = f"{again}; set HF_HUB_DISABLE_XET=1 if the Xet storage keeps failing"
    return ModelDownloadError(f"the download of {file} broke off ({_reason(error)}): {again}")


def offline(name: HubName) -> ModelDownloadError:
    """Nothing of the model is cached, and the network must not be used."""
    return ModelDownloadError(
        f"{name} is not in the cache {cache_folder()}, and HF_HUB_OFFLINE is set: unset it to download the model, "
        "or give a local folder"
    )


def offline_in_part(name: HubName, missing: str) -> ModelDownloadError:
    """Only some of the model's files are cached, and the network must not be used."""
    return ModelDownloadError(
        f"{name} is not whole in the cache {cache_folder()}, which lacks {missing}, and HF_HUB_OFFLINE is set: unset "
        "it to download the rest"
    )


def not_a_hub() -> ModelDownloadError:
    """Something else than a hub answers, such as the login page of a network."""
    return ModelDownloadError(
        f"{constants.ENDPOINT} does not answer as a Hugging Face hub does: check HF_ENDPOINT, the proxy, and whether "
        "the network wants you to log in"
    )


def too_little_disk(name: HubName, needed_bytes: int, free_bytes: int) -> ModelDownloadError:
    """The weights would not fit on the disk."""
    return ModelDownloadError(
        f"downloading {name} needs {size_text(needed_bytes)} in {cache_folder()}, which has {size_text(free_bytes)} "
        f"free: {_FREE_DISK}"
    )


def cache_folder() -> Path:
    """Where the hub's library keeps what it downloads: `HF_HUB_CACHE`, or a folder in `HF_HOME`."""
    return Path(constants.HF_HUB_CACHE)


def size_text(num_bytes: int) -> str:
    """A size for display, in decimal units as disks are sold."""
    return f"{num_bytes / 1e9:.1f} GB" if num_bytes >= 1e9 else f"{num_bytes / 1e6:.1f} MB"


_FREE_DISK = "free some space, or set HF_HOME to a folder on a larger disk"


def _explain_reply(error: HfHubHTTPError, name: HubName, file: str | None) -> ModelError:
    status, said = error.response.status_code, error.response.headers.get("x-error-message", "")
    if isinstance(error, GatedRepoError):
        return _gated(name)
    if isinstance(error, RevisionNotFoundError):
        return UnknownModelError(
            f"{name.repo_id} has no revision {name.revision or 'main'!r}: give a branch, tag or whole commit that "
            f"{_page(name)}/commits/main lists"
        )
    if isinstance(error, RemoteEntryNotFoundError):
        return UnknownModelError(
            f"{name} has no {file or 'config.json'}, so it is not a whole model in Hugging Face format: give another"
        )
    if isinstance(error, DisabledRepoError):
        return UnknownModelError(f"{name} is disabled on the hub: give another model")
    if status == 401 and _BAD_TOKEN in said.lower():
        return ModelDownloadError(
            f"{constants.ENDPOINT} refuses your token: replace or unset HF_TOKEN, or run `hf auth login` again"
        )
    if isinstance(error, RepositoryNotFoundError) or status in (401, 404):
        return _not_found(name)
    if status == 403:
        return ModelDownloadError(
            f"{constants.ENDPOINT} forbids access to {name}: give HF_TOKEN the right to read this model at "
            f"{_tokens_page()}"
        )
    if status == 429:
        return ModelDownloadError(f"{constants.ENDPOINT} limits your requests: {_when_to_retry(error)}")
    if status >= 500:
        return ModelDownloadError(
            f"{constants.ENDPOINT} has a fault (HTTP {status}): run the same command again later, files that arrived "
            "are kept"
        )
    return ModelDownloadError(
        f"{constants.ENDPOINT} refuses to send {name} (HTTP {status}: {short(said) or 'no reason'})"
    )


def _gated(name: HubName) -> ModelDownloadError:
    """The publisher lets only those read the model who have accepted its licence."""
    if get_token() is None:
        return ModelDownloadError(
            f"{name.repo_id} is gated: accept its licence at {_page(name)}, then set HF_TOKEN to a token from "
            f"{_tokens_page()}"
        )
    return ModelDownloadError(
        f"{name.repo_id} is gated, and your token may not read it: accept its licence at {_page(name)} with the "
        f"token's account, and let the token read gated repositories at {_tokens_page()}"
    )


def _not_found(name: HubName) -> UnknownModelError:
    near = closest_id(name.repo_id)
    if near is not None:
        advice = f"did you mean {near}?"
    elif get_token() is None:
        advice = "check its spelling; a private model needs HF_TOKEN"
    else:
        advice = "check its spelling; a private model needs a token of an account that may read it"
    return UnknownModelError(f"no model {name.repo_id} on {constants.ENDPOINT}; {advice}")


def _when_to_retry(error: HfHubHTTPError) -> str:
    seconds = _retry_seconds(error.response)
    retry = "retry in some minutes" if seconds is None else f"retry in {seconds} s"
    return retry if get_token() is not None else f"{retry}, or set HF_TOKEN, which has a higher limit"


def _retry_seconds(response: httpx2.Response) -> int | None:
    """Seconds to wait: of `Retry-After` (RFC 9110, section 10.2.3), else of `RateLimit`; None if neither says."""
    text = response.headers.get("retry-after", "").strip()
    if text.isdecimal():
        return int(text)
    if text:
        try:
            return max(0, round((parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()))
        except (ValueError, TypeError):
            return None
    limit = _RESET.search(response.headers.get("ratelimit", ""))
    return None if limit is None else int(limit[1])


def _unreachable(error: httpx2.TransportError) -> ModelDownloadError:
    if isinstance(error, httpx2.ProxyError):
        return ModelDownloadError(
            f"the proxy refuses to reach {constants.ENDPOINT} ({_reason(error)}): check HTTPS_PROXY"
        )
    if isinstance(error, httpx2.TimeoutException) and not isinstance(error, httpx2.ConnectTimeout):
        return ModelDownloadError(
            f"{constants.ENDPOINT} did not answer in {constants.HF_HUB_ETAG_TIMEOUT} s: run the same command again "
            "later, or set HF_HUB_ETAG_TIMEOUT to more seconds"
        )
    return ModelDownloadError(
        f"cannot reach {constants.ENDPOINT} ({_reason(error)}): check the network, or give a local folder or a bundled "
        "model, which need none"
    )


def _reason(error: BaseException) -> str:
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return short(first, _LONGEST_REASON)


def _page(name: HubName) -> str:
    return f"{constants.ENDPOINT}/{name.repo_id}"


def _tokens_page() -> str:
    return f"{constants.ENDPOINT}/settings/tokens"
