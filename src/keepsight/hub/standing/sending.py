"""Signed webhook requests."""

import hashlib
import hmac
import secrets
import ssl
import time
from base64 import b64encode
from contextlib import suppress
from http import HTTPStatus
from http.client import HTTPException

from keepsight.errors import DeliveryError, KeepsightError, SourceUnreachableError
from keepsight.hub.standing.alert_view import alert_view
from keepsight.journal.standing_records import Delivery
from keepsight.sources.network.connections import PinnedConnection, Timeouts
from keepsight.sources.network.guard import Guard, ResolvedAddress
from keepsight.sources.network.responses import reason_of
from keepsight.sources.network.urls import SourceUrl, parse_url

SIGNATURE_HEADER = "Keepsight-Signature"
DELIVERY_HEADER = "Keepsight-Delivery"


def new_secret() -> str:
    """Random secret of 256 bits."""
    return f"whsec_{secrets.token_hex(32)}"


def signature(secret: str, unix_seconds: int, body: bytes) -> str:
    """Signature header of a body sent at a given time."""
    signed = f"{unix_seconds}.".encode() + body
    return f"t={unix_seconds},v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"


WEBHOOK_SCHEMES = frozenset({"http", "https"})
TIMEOUTS = Timeouts(connect_seconds=5.0, read_seconds=10.0, head_seconds=10.0)
"""Receivers should accept an alert at once and process it later."""


def shown_webhook(url: str) -> str:
    """Webhook address for display: only its host, since the path is often a secret."""
    parsed = parse_url(url)
    return f"{parsed.scheme}://{parsed.netloc}"


def check_webhook(url: str, guard: Guard) -> None:
    """Check a webhook address. A host that does not resolve yet is accepted.

    Raises:
        AddressRefusedError: its scheme is not allowed, it is malformed, or it leads to a forbidden network.
    """
    parsed = parse_url(url)
    SourceUrl(parsed.scheme, parsed.host, parsed.port, "/").require(WEBHOOK_SCHEMES)
    with suppress(SourceUnreachableError):
        guard.resolve(parsed.host, parsed.port)


class Sender:
    """Sends deliveries.

    Args:
        guard: checks hosts before connecting.
        timeouts: of the connection.
        tls: how certificates are verified; None for the system's authorities.
    """

    def __init__(self, guard: Guard, timeouts: Timeouts = TIMEOUTS, tls: ssl.SSLContext | None = None) -> None:
        self._guard = guard
        self._timeouts = timeouts
        self._tls = tls

    def send(self, delivery: Delivery) -> None:
        """Attempt one delivery.

        Raises:
            DeliveryError: it was not accepted; retry later.
        """
        status = self._post(delivery)
        if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            return
        more = "; redirects are not followed" if status < HTTPStatus.BAD_REQUEST else ""
        raise DeliveryError(f"the webhook returned {status}{more}")

    def _post(self, delivery: Delivery) -> int:
        try:
            url = parse_url(delivery.webhook.url)
            url.require(WEBHOOK_SCHEMES)
            address = self._guard.resolve(url.host, url.port)
        except KeepsightError as error:
            raise DeliveryError(f"the webhook's address is refused: {error}") from None
        body = alert_view(delivery.alert).model_dump_json().encode()
        connection = self._connection(url, address)
        try:
            connection.request("POST", url.target, body, _headers(url, delivery, body))
            return connection.getresponse().status
        except TimeoutError:
            raise DeliveryError("the webhook timed out") from None
        except (OSError, HTTPException, ValueError) as error:
            raise DeliveryError(f"could not reach the webhook: {_reason(error)}") from None
        finally:
            connection.close()

    def _connection(self, url: SourceUrl, address: ResolvedAddress) -> PinnedConnection:
        if url.scheme == "https" and self._tls is None:
            self._tls = ssl.create_default_context()
        return PinnedConnection(address, self._timeouts, self._tls if url.scheme == "https" else None)


def _reason(error: Exception) -> str:
    return "invalid host name" if isinstance(error, ValueError) else reason_of(error)


def _headers(url: SourceUrl, delivery: Delivery, body: bytes) -> dict[str, str]:
    headers = {
        "User-Agent": "keepsight",
        "Content-Type": "application/json",
        "Connection": "close",
        DELIVERY_HEADER: delivery.id,
        SIGNATURE_HEADER: signature(delivery.webhook.secret, int(time.time()), body),
    }
    if url.credentials is not None:
        pair = f"{url.credentials.user}:{url.credentials.password}".encode()
        headers["Authorization"] = f"Basic {b64encode(pair).decode()}"
    return headers
