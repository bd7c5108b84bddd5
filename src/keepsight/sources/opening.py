"""From an address to a reader, one module a kind; what a kind needs is imported when it is used."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from types import MappingProxyType

from keepsight.errors import SourceUnreachableError
from keepsight.sources.address import SourceAddress, SourceKind
from keepsight.sources.reader import Reader


@dataclass(frozen=True)
class OpeningOptions:
    """What opening a source may do.

    Attributes:
        allow_private: addresses in this machine's own and other private networks are allowed, too.
        stdin_descriptor: where frames come that are pushed on stdin; None where there is no stdin.
    """

    allow_private: bool = False
    stdin_descriptor: int | None = None


@contextmanager
def open_source(text: str, options: OpeningOptions | None = None) -> Iterator[Reader]:
    """Open a source in this process.

    Args:
        text: a path or address: see `SourceAddress.parse`.
        options: what may be done; the defaults if None.

    Raises:
        VideoError: there is nothing that can be read.
    """
    address = SourceAddress.parse(text)
    with closing(_OPENERS[address.kind](address, options or OpeningOptions())) as reader:
        yield reader


def _file(address: SourceAddress, _: OpeningOptions) -> Reader:
    from keepsight.video import open_video

    return open_video(address.text)


def _folder(address: SourceAddress, _: OpeningOptions) -> Reader:
    from keepsight.sources.readers.folder import open_folder

    return open_folder(address.text)


def _http(address: SourceAddress, options: OpeningOptions) -> Reader:
    from keepsight.sources.network.guard import Guard
    from keepsight.sources.readers.http import open_http

    return open_http(address.text, Guard(allow_private=options.allow_private))


def _hls(address: SourceAddress, options: OpeningOptions) -> Reader:
    from keepsight.sources.network.guard import Guard
    from keepsight.sources.readers.hls import open_hls

    return open_hls(address.text, Guard(allow_private=options.allow_private))


def _rtsp(address: SourceAddress, options: OpeningOptions) -> Reader:
    from keepsight.sources.network.guard import Guard
    from keepsight.sources.network.urls import parse_url
    from keepsight.sources.readers.rtsp import open_rtsp

    return open_rtsp(parse_url(address.text), Guard(allow_private=options.allow_private))


def _camera(address: SourceAddress, _: OpeningOptions) -> Reader:
    from keepsight.sources.readers.camera import open_camera

    return open_camera(address.text)


def _pushed(address: SourceAddress, options: OpeningOptions) -> Reader:
    from keepsight.sources.readers.pushed import PushedReader, open_pushed

    if address.text != "-":
        return open_pushed(address.text)
    if options.stdin_descriptor is None:
        raise SourceUnreachableError("there is no stdin to read frames from")
    return PushedReader(os.fdopen(options.stdin_descriptor, "rb"), "stdin")


_OPENERS: Mapping[SourceKind, Callable[[SourceAddress, OpeningOptions], Reader]] = MappingProxyType(
    {
        SourceKind.FILE: _file,
        SourceKind.FOLDER: _folder,
        SourceKind.HTTP: _http,
        SourceKind.HLS: _hls,
        SourceKind.RTSP: _rtsp,
        SourceKind.CAMERA: _camera,
        SourceKind.PUSHED: _pushed,
    }
)
