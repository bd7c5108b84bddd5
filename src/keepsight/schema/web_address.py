"""Web addresses that a program sends requests to, as setting values."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from keepsight.schema.kinds import Text


def is_plain_web_address(text: str) -> bool:
    """Whether a text is an http or https URL with a host, and without user, password, query and fragment.

    Those may be secrets, and addresses are shown.
    """
    try:
        parts = urlsplit(text)
        is_whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return is_whole and text.isprintable() and not any(sign in text for sign in " @?#")


@dataclass(frozen=True)
class WebAddress(Text):
    """Base address of a server, to which a path is appended.

    Attributes:
        example: an address, for the error.
        hint: where credentials go instead, for the error; empty for none.
    """

    metavar: str = "URL"
    example: str = "http://localhost:8000"
    hint: str = ""
    is_shown = False  # it may contain a password

    @property
    def wanted(self) -> str:
        return (
            f"an address such as {self.example}, with http or https and a host, and without user, password, query and "
            f"fragment{self.hint and f'; {self.hint}'}"
        )

    def accepts(self, value: object) -> bool:
        """Whether a value is a plain web address."""
        return isinstance(value, str) and is_plain_web_address(value)
