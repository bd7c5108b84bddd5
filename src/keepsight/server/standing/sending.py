"""One attempt to hand an alert to a webhook (promises S2 and S6).

The host is resolved once, all its addresses are checked, and one of these is connected to. Redirects are not followed:
they could lead to where the check would not let go. What the receiver answers beside its status is not read.
"""

import ssl
import time
from base64 import b64encode
from contextlib import suppress
from http import HTTPStatus
from http.client import HTTPException

from keepsight.errors import DeliveryError, KeepsightError, SourceUnreachableError
from keepsight.journal.standing_records import Delivery
from keepsight.server.standing.alert_view import alert_view
from keepsight.server.standing.signing import DELIVERY_HEADER, SIGNATURE_HEADER, signature
from keepsight.sources.network.connections import PinnedConnection, Timeouts
from keepsight.sources.network.guard import Guard, ResolvedAddress
from keepsight.sources.network.responses import reason_of
from keepsight.sources.network.urls import SourceUrl, parse_url

WEBHOOK_SCHEMES = frozenset({"http", "https"})
TIMEOUTS = Timeouts(connect_seconds=5.0, read_seconds=10.0, head_seconds=10.0)
"""A receiver is to take an alert and work on it later."""


def shown_webhook(url: str) -> str:
    """The address of a webhook as it may be shown: no more than its host, since its path often is its password."""
    parsed = parse_url(url)
    return f"{parsed.scheme}://{parsed.netloc}"


def check_webhook(url: str, guard: Guard) -> None:
    """Refuse an address that is never sent to. One whose name is not known yet is let pass.

    Raises:
        AddressRefusedError: its scheme is another one, it is malformed, or it leads to where it may not.
    """
    parsed = parse_url(url)
    SourceUrl(parsed.scheme, parsed.host, parsed.port, "/").require(WEBHOOK_SCHEMES)
    with suppress(SourceUnreachableError):
        guard.resolve(parsed.host, parsed.port)


class Sender:
    """Sends deliveries.

    Args:
        guard: which hosts may be connected to.
        timeouts: how long to wait.
        tls: how certificates are verified; None for the system's authorities.
    """

    def __init__(self, guard: Guard, timeouts: Timeouts = TIMEOUTS, tls: ssl.SSLContext | None = None) -> None:
        self._guard = guard
        self._timeouts = timeouts
        self._tls = tls

    def send(self, delivery: Delivery) -> None:
        """Try once.

        Raises:
            DeliveryError: it was not taken; a later attempt may help.
        """
        status = self._post(delivery)
        if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            return
        more = "; redirects are not followed" if status < HTTPStatus.BAD_REQUEST else ""
        raise DeliveryError(f"the webhook answers {status}{more}")

    def _post(self, delivery: Delivery) -> int:
        try:
            url = parse_url(delivery.webhook.url)
            url.require(WEBHOOK_SCHEMES)
            address = self._guard.resolve(url.host, url.port)
        except KeepsightError as error:
            raise DeliveryError(f"the webhook cannot be sent to: {error}") from None
        body = alert_view(delivery.alert).model_dump_json().encode()
        connection = self._connection(url, address)
        try:
            connection.request("POST", url.target, body, _headers(url, delivery, body))
            return connection.getresponse().status
        except TimeoutError:
            raise DeliveryError("the webhook does not answer in time") from None
        except (OSError, HTTPException, ValueError) as error:
            raise DeliveryError(f"the webhook cannot be reached: {_reason(error)}") from None
        finally:
            connection.close()

    def _connection(self, url: SourceUrl, address: ResolvedAddress) -> PinnedConnection:
        if url.scheme == "https" and self._tls is None:
            self._tls = ssl.create_default_context()
        return PinnedConnection(address, self._timeouts, self._tls if url.scheme == "https" else None)


def _reason(error: Exception) -> str:
    return "its name is no host's" if isinstance(error, ValueError) else reason_of(error)


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
