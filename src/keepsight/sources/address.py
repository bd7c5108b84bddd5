"""What a user names as a source, and what may be shown of it."""

import os
import re
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from keepsight.errors import AddressRefusedError, SettingError


class SourceKind(StrEnum):
    """How a source is read."""

    FILE = "file"
    FOLDER = "folder"
    HTTP = "http"
    HLS = "hls"
    RTSP = "rtsp"
    CAMERA = "camera"
    PUSHED = "pushed"


_SCHEMES = {"http": SourceKind.HTTP, "https": SourceKind.HTTP, "rtsp": SourceKind.RTSP, "rtsps": SourceKind.RTSP}
_PLAYLIST_ENDINGS = (".m3u8", ".m3u")


@dataclass(frozen=True)
class SourceAddress:
    """A source as it is given to `keepsight watch`.

    Attributes:
        kind: how it is read.
        text: path or address with credentials, if it has any; never shown.
        name: the same without credentials: what the journal, errors and logs have.
    """

    kind: SourceKind
    text: str = field(repr=False)
    name: str

    @classmethod
    def parse(cls, text: str) -> "SourceAddress":
        """What a path or an address means.

        `-` is frames pushed on stdin, a FIFO or `unix:PATH` frames pushed there; `v4l2:/dev/video0` or `/dev/video0` a
        camera; a folder its pictures; anything with a scheme an address; all else a file.

        Raises:
            SettingError: the text is empty.
            AddressRefusedError: the scheme is none of those that are read.
        """
        if not text.strip() or "\0" in text:
            raise SettingError(f"a source is a path or an address, not {text!r}")
        if text == "-" or text.startswith("unix:"):
            return cls(SourceKind.PUSHED, text, "stdin" if text == "-" else text)
        if text.startswith(("v4l2:", "/dev/video")):
            return cls(SourceKind.CAMERA, text.removeprefix("v4l2:"), text.removeprefix("v4l2:"))
        scheme, separator, _ = text.partition("://")
        if separator and scheme.isascii() and scheme.replace("+", "").isalnum():
            return cls._of_address(scheme.lower(), text)
        return cls._of_path(text)

    @classmethod
    def _of_path(cls, text: str) -> "SourceAddress":
        path = Path(text)
        try:
            os.fsencode(text)
            kind = SourceKind.FOLDER if path.is_dir() else SourceKind.PUSHED if path.is_fifo() else SourceKind.FILE
            # Bytes of a name that are no UTF-8 can be opened, but neither stored nor shown.
            return cls(kind, text, str(path.resolve()).encode("utf-8", "backslashreplace").decode())
        except (OSError, RuntimeError, UnicodeError) as error:  # too long, links in a circle, half a character
            reason = getattr(error, "strerror", None) or "it cannot be written as bytes, or its links lead in a circle"
            raise SettingError(f"{text[:80]!r} is no path that can be read: {reason}") from error

    @classmethod
    def _of_address(cls, scheme: str, text: str) -> "SourceAddress":
        from keepsight.sources.network.urls import strip_credentials

        if scheme not in _SCHEMES:
            raise AddressRefusedError(
                f"addresses begin with {', '.join(f'{one}://' for one in _SCHEMES)}, not {scheme}://"
            )
        kind = _SCHEMES[scheme]
        if kind is SourceKind.HTTP and _path_of(text).lower().endswith(_PLAYLIST_ENDINGS):
            kind = SourceKind.HLS
        return cls(kind, text, strip_credentials(text))

    @property
    def is_stdin(self) -> bool:
        """Whether frames are pushed on stdin, which cannot be opened anew once it has ended."""
        return self.text == "-"

    @property
    def may_end(self) -> bool:
        """Whether a live source that ends in order is over, as where the program that pushes frames says so."""
        return self.kind is SourceKind.PUSHED

    @property
    def is_always_live(self) -> bool:
        """Whether it has no end of its own, so that it is waited for even where it cannot be reached at first."""
        return self.kind in (SourceKind.RTSP, SourceKind.CAMERA, SourceKind.PUSHED)

    @property
    def may_be_live(self) -> bool:
        """Whether it may go on for ever and be lost and found again; whether it does is known once it is open."""
        return self.kind not in (SourceKind.FILE, SourceKind.FOLDER)


def _path_of(address: str) -> str:
    """The path of an address, which may be malformed: whoever connects refuses it then."""
    _, _, rest = re.split(r"[?#]", address, maxsplit=1)[0].partition("://")
    _, slash, path = rest.partition("/")
    return slash + path
