"""RTSP cameras and servers, over TCP.

Decoders and connections are restricted: FFmpeg may speak RTSP over TCP only to `rtsp_relay`, which speaks only to the
checked address. With `rtsps` the relay encrypts.

Servers see the URL `rtsp://127.0.0.1:PORT/path` in requests, as behind a forwarded port. Tested servers accept it; a
server with name-based virtual hosts would not find the right one.
"""

import ssl
import time
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
    """Connect to an RTSP server; the caller closes it.

    Args:
        url: with scheme `rtsp` or `rtsps`. Its credentials are for the server (Basic or Digest) and never in errors.
        guard: checks hosts before connecting.
        open_seconds: timeout of connecting, of each response, and of the first pictures.
        silence_seconds: timeout of later pictures.
        tls: for `rtsps`; None for the system's trust store; a camera with a self-signed certificate needs a context
            that trusts it.

    Raises:
        SettingError: a timeout is not above 0.
        AddressRefusedError: the scheme or host is not allowed.
        SourceUnreachableError: the server does not respond, refuses, redirects, or rejects the password.
        NoVideoStreamError, NotAVideoError: it sends no video, or an unsupported codec.
    """
    if not (open_seconds > 0 and silence_seconds > 0):
        raise SettingError(
            f"open_seconds and silence_seconds must be above 0, got {open_seconds} and {silence_seconds}"
        )
    if url.scheme not in _SCHEMES:
        raise AddressRefusedError(f"an RTSP address must start with one of {', '.join(_SCHEMES)}, got {url.scheme!r}")
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
    """FFmpeg options for RTSP: video only, over one TCP connection, and no other format or protocol."""
    return {
        "rtsp_transport": "tcp",
        "allowed_media_types": "video",
        "protocol_whitelist": "tcp",
        "format_whitelist": "rtsp",
        "codec_whitelist": ",".join(LIVE_DECODERS.split()),
        # The description defines the stream; probing its rate would cost seconds.
        "fpsprobesize": "0",
        "analyzeduration": str(round(min(open_seconds, 5.0) * 1e6)),
    }


def _open_container(address: str, open_seconds: float, silence_seconds: float) -> InputContainer | str:
    """Container, or why there is none. FFmpeg's error contains the password, so it must not propagate.

    On timeout, FFmpeg is interrupted wherever it waits, and sometimes reports that as invalid data.
    """
    deadline = time.monotonic() + open_seconds
    silence = f"the server sent nothing for {open_seconds:g} s"
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
        return silence
    except FFmpegError as error:
        if time.monotonic() >= deadline:
            return silence
        return error.strerror or "invalid response"


def _relayed(url: SourceUrl, port: int) -> str:
    """URL for FFmpeg, with percent-encoded user and password, which it decodes."""
    user = ""
    if url.credentials is not None:
        user = f"{quote(url.credentials.user, safe='')}:{quote(url.credentials.password, safe='')}@"
    return f"rtsp://{user}127.0.0.1:{port}{url.target}"
