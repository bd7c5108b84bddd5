"""RTSP cameras and servers, over TCP.

What reaches a decoder, and where connections lead, is narrowed: FFmpeg may speak RTSP over TCP to `rtsp_relay` and
nothing else, and `rtsp_relay` speaks to the address that was checked. With `rtsps` the relay encrypts.

Servers see the address `rtsp://127.0.0.1:PORT/path` in requests, as they would behind a forwarded port. Those tested
take it; one that tells sites apart by the host's name would not find the right one.
"""

import ssl
from contextlib import ExitStack
from urllib.parse import quote

import av
from av.container import InputContainer
from av.error import ExitError, FFmpegError

from keepsight.errors import AddressRefusedError, SettingError, SourceUnreachableError
from keepsight.sources.network.guard import Guard
from keepsight.sources.network.urls import SourceUrl
from keepsight.sources.readers.live_media import LIVE_DECODERS, SILENCE_SECONDS, LiveMedia
from keepsight.sources.readers.rtsp_relay import RtspRelay

_SCHEMES = ("rtsp", "rtsps")


def open_rtsp(
    url: SourceUrl,
    guard: Guard,
    *,
    open_seconds: float = 15.0,
    silence_seconds: float = SILENCE_SECONDS,
    tls: ssl.SSLContext | None = None,
) -> LiveMedia:
    """Connect to an RTSP server and read what it sends; the caller closes it.

    Args:
        url: with scheme `rtsp` or `rtsps`. Its credentials are for the server (Basic or Digest) and are in no error.
        guard: decides which hosts may be connected to.
        open_seconds: longest wait for the connection, for each answer, and for the first pictures.
        silence_seconds: longest wait for a picture from then on.
        tls: for `rtsps`, in place of the default, which trusts what the system trusts; a camera with a certificate of
            its own making needs one that holds it.

    Raises:
        SettingError: a wait is not above 0.
        AddressRefusedError: the scheme is another one, or the host may not be connected to.
        SourceUnreachableError: the server doesn't answer, refuses, redirects, or wants another password.
        NoVideoStreamError, NotAVideoError: it sends no pictures, or none of a codec that is read.
    """
    if not (open_seconds > 0 and silence_seconds > 0):
        raise SettingError(f"waits are above 0 s, not {open_seconds} and {silence_seconds}")
    if url.scheme not in _SCHEMES:
        raise AddressRefusedError(f"an RTSP address starts with one of {', '.join(_SCHEMES)}, not {url.scheme!r}")
    address = guard.resolve(url.host, url.port)
    context = (tls or ssl.create_default_context()) if url.scheme == "rtsps" else None
    with ExitStack() as undo:
        relay = RtspRelay(address, timeout_seconds=open_seconds, tls=context)
        undo.callback(relay.close)
        opened = _open_container(_relayed(url, relay.port), open_seconds, silence_seconds)
        if isinstance(opened, str):
            relay.close()
            raise SourceUnreachableError(f"{url.display} can't be watched: {relay.complaint or opened}")
        undo.callback(opened.close)
        media = LiveMedia(
            opened,
            url.display,
            silence_seconds=silence_seconds,
            on_close=relay.close,
            is_broken=lambda: relay.is_broken,
        )
        undo.pop_all()
    return media


def rtsp_options(open_seconds: float) -> dict[str, str]:
    """FFmpeg's options for RTSP: pictures only, over one TCP connection, and no other format or protocol."""
    return {
        "rtsp_transport": "tcp",
        "allowed_media_types": "video",
        "protocol_whitelist": "tcp",
        "format_whitelist": "rtsp",
        "codec_whitelist": ",".join(LIVE_DECODERS.split()),
        # What a stream is follows from its description; waiting to measure its rate costs seconds.
        "fpsprobesize": "0",
        "analyzeduration": str(round(min(open_seconds, 5.0) * 1e6)),
    }


def _open_container(address: str, open_seconds: float, silence_seconds: float) -> InputContainer | str:
    """The container, or why there is none. FFmpeg's own error holds the password, so it ends here."""
    try:
        return av.open(
            address,
            mode="r",
            format="rtsp",
            container_options=rtsp_options(open_seconds),
            timeout=(open_seconds, silence_seconds),
            metadata_errors="replace",
        )
    except ExitError:
        return f"the server sends nothing for {open_seconds:g} s"
    except FFmpegError as error:
        return error.strerror or "it does not answer as it should"


def _relayed(url: SourceUrl, port: int) -> str:
    """The address that FFmpeg gets. It takes user and password percent-encoded, and decodes them."""
    user = ""
    if url.credentials is not None:
        user = f"{quote(url.credentials.user, safe='')}:{quote(url.credentials.password, safe='')}@"
    return f"rtsp://{user}127.0.0.1:{port}{url.target}"
