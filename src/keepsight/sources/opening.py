"""Opens a reader for an address, one module per kind, imported on use."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from types import MappingProxyType

from keepsight.errors import SourceUnreachableError
from keepsight.sources.address import SourceAddress, SourceKind
from keepsight.sources.contents import Content, open_local_content
from keepsight.sources.plug_in import Source
from keepsight.sources.reader import Reader


@dataclass(frozen=True)
class OpeningOptions:
    """Options for opening a source.

    Attributes:
        allow_private: allow addresses of this machine and private networks.
        stdin_descriptor: descriptor of frames pushed on stdin; None without stdin.
        video_stream: video stream of a file to read: see `SourceAddress`.
    """

    allow_private: bool = False
    stdin_descriptor: int | None = None
    video_stream: int | None = None


@contextmanager
def open_source(source: str | Source, options: OpeningOptions | None = None) -> Iterator[Reader]:
    """Open a source in this process.

    Args:
        source: see `SourceAddress.of`.
        options: options; None for defaults.

    Raises:
        VideoError: the source is not readable.
    """
    address = SourceAddress.of(source)
    with closing(_OPENERS[address.kind](address, options or OpeningOptions())) as reader:
        yield reader


def _file(address: SourceAddress, options: OpeningOptions) -> Reader:
    from keepsight.video import open_video

    return open_video(address.text, options.video_stream)


def _folder(address: SourceAddress, _: OpeningOptions) -> Reader:
    from keepsight.sources.readers.folder import open_folder

    return open_folder(address.text)


def _http(address: SourceAddress, options: OpeningOptions) -> Reader:
    from keepsight.sources.network.guard import Guard
    from keepsight.sources.readers.http import open_http

    return open_http(address.text, Guard(allow_private=options.allow_private), number=options.video_stream)


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
        raise SourceUnreachableError("stdin is closed, so no frames can be read")
    return PushedReader(os.fdopen(options.stdin_descriptor, "rb"), "stdin")


def _plug_in(address: SourceAddress, _: OpeningOptions) -> Reader:
    if address.part is None:
        raise SourceUnreachableError(f"{address.name} names no source of a plug-in")
    return address.part.open()


_OPENERS: Mapping[SourceKind, Callable[[SourceAddress, OpeningOptions], Reader]] = MappingProxyType(
    {
        SourceKind.FILE: _file,
        SourceKind.FOLDER: _folder,
        SourceKind.HTTP: _http,
        SourceKind.HLS: _hls,
        SourceKind.RTSP: _rtsp,
        SourceKind.CAMERA: _camera,
        SourceKind.PUSHED: _pushed,
        SourceKind.PLUG_IN: _plug_in,
    }
)


def open_content(address: SourceAddress, *, allow_private: bool = False) -> Content | None:
    """Content of a source; None if it has none to identify it by: a camera, a live stream, pushed frames.

    Args:
        address: the source.
        allow_private: allow addresses in private networks.

    Raises:
        VideoError: it is not readable.
    """
    if address.kind in (SourceKind.HTTP, SourceKind.HLS):
        from keepsight.sources.network.guard import Guard
        from keepsight.sources.network.web_content import open_web_content

        return open_web_content(address.text, Guard(allow_private=allow_private))
    return open_local_content(address)
