"""Parsing of source addresses, and what of them may be shown.

Files are read only under allowed folders (`check_is_under`), compared by real path, so neither symlinks nor `..` lead
out.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from keepsight.errors import AddressRefusedError, SettingError
from keepsight.incoming import closest, short
from keepsight.sources.network.urls import looks_like_credentials, strip_credentials
from keepsight.sources.plug_in import (
    BUILT_IN_SCHEMES,
    SOURCE_GROUP,
    Source,
    checked_source,
    path_of,
    source_of_address,
)


class SourceKind(StrEnum):
    """How a source is read."""

    FILE = "file"
    FOLDER = "folder"
    HTTP = "http"
    HLS = "hls"
    RTSP = "rtsp"
    CAMERA = "camera"
    PUSHED = "pushed"
    PLUG_IN = "plug_in"


_SCHEMES = {one: SourceKind.RTSP if one.startswith("rtsp") else SourceKind.HTTP for one in BUILT_IN_SCHEMES}
_PLAYLIST_ENDINGS = (".m3u8", ".m3u")


@dataclass(frozen=True)
class SourceAddress:
    """Address of a source.

    Attributes:
        kind: how it is read.
        text: path or address, possibly with credentials; never shown.
        name: the same without credentials, for journal, errors and logs.
        video_stream: video stream of a file to watch, from 0; None for the choice of `video.stream_choice`.
        part: the source object of a plug-in; None for built-in kinds.
    """

    kind: SourceKind
    text: str = field(repr=False)
    name: str
    video_stream: int | None = None
    part: Source | None = field(default=None, repr=False)

    @classmethod
    def of(cls, source: "str | os.PathLike[str] | SourceAddress | Source") -> "SourceAddress":
        """Address of a path, an address text, or a plug-in's source object.

        Raises:
            SettingError: as for `parse`; or the object is not a source.
        """
        if isinstance(source, SourceAddress):
            return source
        if isinstance(source, str | os.PathLike):
            return cls.parse(os.fspath(source))
        part = checked_source(source)
        return cls(SourceKind.PLUG_IN, part.name, part.name, part=part)

    @classmethod
    def parse(cls, text: str) -> "SourceAddress":
        """Parse a path or an address.

        `-` means frames pushed on stdin; a FIFO or `unix:PATH` frames pushed there; `v4l2:/dev/video0` or `/dev/video0`
        a camera; a folder its images; anything with a scheme an address, possibly of a plug-in; anything else a file.

        Raises:
            SettingError: the text is empty, no installed package reads its scheme, or its package refuses the address.
        """
        if not text.strip() or "\0" in text:
            raise SettingError("a source must be a path or an address, got an empty text or one with a NUL in it")
        if text == "-" or text.startswith("unix:"):
            return cls(SourceKind.PUSHED, text, "stdin" if text == "-" else text)
        if text.startswith(("v4l2:", "/dev/video")):
            return cls(SourceKind.CAMERA, text.removeprefix("v4l2:"), text.removeprefix("v4l2:"))
        scheme, separator, _ = text.strip().partition("://")
        if separator and scheme.isascii() and scheme.replace("+", "").isalnum():
            return cls._of_address(scheme.lower(), text.strip())
        return cls._of_path(text)

    @classmethod
    def _of_path(cls, text: str) -> "SourceAddress":
        path = Path(text)
        if looks_like_credentials(text) and not _exists(path):
            raise SettingError(
                "no such file, and the source looks like an address with a password, so it is not shown: "
                f"an address must begin with {', '.join(f'{one}://' for one in _SCHEMES)}"
            )
        try:
            os.fsencode(text)
            kind = SourceKind.FOLDER if path.is_dir() else SourceKind.PUSHED if path.is_fifo() else SourceKind.FILE
            # An undecodable file name can be opened, but neither stored nor shown.
            return cls(kind, text, str(path.resolve()).encode("utf-8", "backslashreplace").decode())
        except (OSError, RuntimeError, UnicodeError) as error:  # too long, a symlink loop, or an unpaired surrogate
            reason = getattr(error, "strerror", None) or "it cannot be encoded, or its links form a loop"
            raise SettingError(f"cannot read the path {text[:80]!r}: {reason}") from error

    @classmethod
    def _of_address(cls, scheme: str, text: str) -> "SourceAddress":
        if scheme not in _SCHEMES:
            if scheme in (known := SOURCE_GROUP.names()):
                return cls.of(source_of_address(scheme, text))
            raise SettingError(
                f"an address must begin with {', '.join(f'{one}://' for one in known)}, got "
                f"{short(strip_credentials(text))}; {_instead_of(scheme, known)}"
            )
        kind = _SCHEMES[scheme]
        if kind is SourceKind.HTTP and _path_of(text).lower().endswith(_PLAYLIST_ENDINGS):
            kind = SourceKind.HLS
        return cls(kind, text, strip_credentials(text))

    def with_video_stream(self, number: int | None) -> "SourceAddress":
        """The same source with a chosen video stream.

        Args:
            number: from 0; None for no choice.

        Raises:
            SettingError: the number is negative, or the source is not a file.
        """
        if number is None:
            return self
        if number < 0:
            raise SettingError(f"the video stream must be 0 or more, got {number}")
        if self.kind not in (SourceKind.FILE, SourceKind.HTTP):
            raise SettingError(f"a video stream can be chosen only in a file, got {self.name}")
        return replace(self, video_stream=number)

    @property
    def is_stdin(self) -> bool:
        """Whether frames are pushed on stdin, which cannot be reopened after its end."""
        return self.text == "-"

    @property
    def may_end(self) -> bool:
        """Whether a clean end of a live source is final, as when the pushing program says so."""
        return self.kind is SourceKind.PUSHED

    @property
    def is_always_live(self) -> bool:
        """Whether the source is always live, so that it is waited for even if unreachable at first."""
        return self.kind in (SourceKind.RTSP, SourceKind.CAMERA, SourceKind.PUSHED)

    @property
    def may_be_live(self) -> bool:
        """Whether it may be an endless source to reconnect to; known for certain once open."""
        return self.kind not in (SourceKind.FILE, SourceKind.FOLDER)


def _instead_of(scheme: str, known: Sequence[str]) -> str:
    """What to do about an unknown scheme."""
    if scheme == "file":
        return "write the path alone"
    near = closest(scheme, known)
    return (
        f"did you mean {near}://?" if near else f"begin with one of these, or install a package that reads {scheme}://"
    )


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _path_of(address: str) -> str:
    """Path of an address, which may be malformed; connecting then refuses it."""
    _, _, rest = re.split(r"[?#]", address, maxsplit=1)[0].partition("://")
    _, slash, path = rest.partition("/")
    return slash + path


_ON_THIS_MACHINE = frozenset({SourceKind.FILE, SourceKind.FOLDER, SourceKind.PUSHED, SourceKind.CAMERA})


def check_is_under(address: SourceAddress, roots: Sequence[Path], *, allow_private: bool = False) -> None:
    """Check that a path is in an allowed folder. Server addresses and stdin have no path.

    A plug-in's connections are not checked, so with roots a plug-in source without a path needs `allow_private`.

    The reader reopens the path later, so a program that can write into a root could swap in a symlink in between. Roots
    should therefore be writable by trusted programs only, or not allow symlinks.

    Args:
        address: any source.
        roots: allowed folders; none allows every path.
        allow_private: allow addresses in private networks.

    Raises:
        AddressRefusedError: the real path is in none of them, or a plug-in's path is unknown.
    """
    if not roots or address.is_stdin:
        return
    path = address.text.removeprefix("unix:") if address.part is None else path_of(address.part)
    if path is None and not allow_private:
        raise AddressRefusedError(f"{address.name} names no path that could be checked; it needs --allow-private")
    if path is None or (address.part is None and address.kind not in _ON_THIS_MACHINE):
        return
    real = Path(os.path.realpath(path))
    if not any(real.is_relative_to(os.path.realpath(root)) for root in roots):
        raise AddressRefusedError(
            f"{address.name} is outside the folders that sources may be in; move it, or add its folder as a root"
        )
