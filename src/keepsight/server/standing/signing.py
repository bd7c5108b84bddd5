"""Signatures of webhook deliveries, so that a receiver knows who sent them and when.

The header reads `Keepsight-Signature: t=UNIX,v1=HEX`, where HEX is HMAC-SHA256 (RFC 2104) with the question's secret
over `UNIX.BODY`. A receiver computes it over the bytes that came, compares in constant time, and refuses what is old.
"""

import hashlib
import hmac
import secrets

SIGNATURE_HEADER = "Keepsight-Signature"
DELIVERY_HEADER = "Keepsight-Delivery"


def new_secret() -> str:
    """A random secret of 256 bits."""
    return f"whsec_{secrets.token_hex(32)}"


def signature(secret: str, unix_seconds: int, body: bytes) -> str:
    """What the header says for a body that is sent at a time."""
    signed = f"{unix_seconds}.".encode() + body
    return f"t={unix_seconds},v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"
