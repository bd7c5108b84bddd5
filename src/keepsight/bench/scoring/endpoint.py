"""A call to an OpenAI-compatible `/v1/chat/completions`, with retries, using only the standard library."""

import http.client
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from keepsight.errors import JudgeBusyError, JudgeError, SettingError
from keepsight.models.engines.http_rules import hide, is_sendable_key, seconds_to_wait, shorten
from keepsight.schema.web_address import is_plain_web_address

_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Status codes that are worth a retry (RFC 9110, section 15; RFC 6585, section 4; RFC 8470)."""

_MAX_BYTES = 4 * 1024 * 1024
"""Size limit of a reply."""


@dataclass(frozen=True)
class Endpoint:
    """Endpoint of a chat model. Its `repr` goes into results files, so it never contains the key.

    Attributes:
        url: full URL, such as `http://localhost:8000/v1/chat/completions`; without user name, password or query, which
            may be secrets.
        timeout_seconds: timeout of the server, above 0.
        retries: attempts after the first, at least 0.
        max_wait_seconds: longest pause before a retry; an endpoint that asks for more is given up.
        api_key_variable: environment variable with the key, read on each call; empty for no key.
        pause: waits some seconds.

    Raises:
        SettingError: a value is out of range.
    """

    url: str
    timeout_seconds: float = 60.0
    retries: int = 4
    max_wait_seconds: float = 60.0
    api_key_variable: str = ""
    pause: Callable[[float], None] = field(default=time.sleep, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_url(self.url)
        if not 0 < self.timeout_seconds < float("inf"):
            raise SettingError(f"timeout_seconds must be above 0 and finite, got {self.timeout_seconds}")
        if self.retries < 0 or not self.max_wait_seconds >= 0:
            raise SettingError(
                f"retries and max_wait_seconds must be at least 0, got {self.retries} and {self.max_wait_seconds}"
            )

    def complete(self, body: Mapping[str, Any]) -> str:
        """Reply to a request: the text of the first choice's message. One attempt.

        Raises:
            JudgeBusyError: a retry may succeed.
            JudgeError: the request was refused, or the key is missing.
        """
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        secret = self._key()
        if secret:
            headers["Authorization"] = f"Bearer {secret}"
        request = urllib.request.Request(self.url, json.dumps(body).encode(), headers, method="POST")
        try:
            with _opener().open(request, timeout=self.timeout_seconds) as response:
                received: bytes = response.read(_MAX_BYTES)
        except urllib.error.HTTPError as error:
            # Neither the cause nor its text is propagated: a server may repeat the key in its reply.
            with error:
                raise self._refused(error, secret) from None
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            said = f"{type(error).__name__}: {reason}" if str(reason) else type(error).__name__
            raise JudgeBusyError(f"cannot reach the judge at {self.url}: {shorten(hide(said, secret))}") from None
        return hide(_text_of(received, self.url), secret)

    def _key(self) -> str:
        if not self.api_key_variable:
            return ""
        secret = os.environ.get(self.api_key_variable, "").strip()
        # Checked here, since the standard library would print an invalid key.
        if not is_sendable_key(secret):
            raise JudgeError(f"the environment variable {self.api_key_variable} must hold an API key: one ASCII word")
        return secret

    def _refused(self, error: urllib.error.HTTPError, secret: str) -> JudgeError:
        try:
            said = shorten(hide(error.read(_MAX_BYTES).decode("utf-8", "replace"), secret))
        except (OSError, http.client.HTTPException):
            said = ""
        message = f"the judge at {self.url} refused with status {error.code}: {said or 'no reason given'}"
        if error.code in _BUSY:
            return JudgeBusyError(message, seconds_to_wait(error.headers.get("Retry-After")))
        return JudgeError(message)


def _opener() -> urllib.request.OpenerDirector:
    """URL opener that follows no redirects, so that the key is never sent elsewhere."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor,
    ):
        opener.add_handler(handler())
    return opener


def check_url(url: str) -> None:
    """Check that a URL is plain http or https.

    Raises:
        SettingError: another scheme, no host, or a user name, password, query or fragment. The message does not show
            the URL, which may contain a secret.
    """
    if not is_plain_web_address(url) or not url.isascii():
        raise SettingError(
            "the judge's URL must be http:// or https:// with a host and a path, without user name, password or query"
        )


def _text_of(received: bytes, url: str) -> str:
    try:
        text = json.loads(received)["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError, RecursionError):
        text = None
    if not isinstance(text, str):
        raise JudgeBusyError(f"the judge at {url} must return a chat completion with choices[0].message.content")
    return text
