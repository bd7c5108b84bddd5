"""Secrets in texts of other packages, such as exceptions, which may repeat an address with its password."""

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote

from keepsight.sources.network.urls import is_secret_name, secret_values, strip_credentials

_URL = re.compile(r"""[A-Za-z][A-Za-z0-9+.-]*://[^\s'"<>]+""")
_USER_AND_PASSWORD = re.compile(r"""[^\s'"<>/@:]+:[^\s'"<>@]*@(?=[^\s'"<>])""")
_SHORTEST_TOKEN = 8
"""A user without a password may be a token from this length."""

_MASK = "***"


def secrets_of_address(address: str) -> set[str]:
    """Passwords and tokens in an address of any scheme, as written and decoded."""
    rest = address.partition("://")[2] or address
    user, at, _ = rest.rpartition("@")
    _, colon, password = user.partition(":")
    is_secret = bool(at) and (bool(colon) or ("/" not in user and len(user) >= _SHORTEST_TOKEN))
    found = {user if is_secret else "", password if at else "", *secret_values(rest)}
    return {one for secret in found for one in (secret, unquote(secret)) if one}


def secrets_of_fields(fields: Mapping[str, Any]) -> set[str]:
    """Passwords and tokens in a source's fields: by a field's name, and in addresses."""
    texts = {name: value for name, value in fields.items() if isinstance(value, str) and value}
    named = {value for name, value in texts.items() if is_secret_name(name)}
    return named.union(*(secrets_of_address(value) for value in texts.values() if "://" in value or "@" in value))


def masked(text: str, secrets: Iterable[str] = ()) -> str:
    """Text without the given secrets, and without credentials in its addresses."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, _MASK)
    text = _URL.sub(lambda found: strip_credentials(found.group()), text)
    return _USER_AND_PASSWORD.sub(f"{_MASK}@", text)
