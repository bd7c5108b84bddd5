"""RTSP against a real server (GStreamer's) on loopback."""

import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from urllib.parse import quote

import numpy as np
import pytest

from keepsight.errors import SettingError, SourceStalledError, SourceUnreachableError, VideoError
from keepsight.sources.network.guard import Guard
from keepsight.sources.network.urls import parse_url
from keepsight.sources.readers.live_media import LiveMedia
from keepsight.sources.readers.rtsp import open_rtsp
from keepsight.video import Frame
from tests.sources import rtsp_process
from tests.sources.rtsp_process import Server

USER, PASSWORD = "viewer", "p:a/s@s"
GUARD = Guard(allow_private=True)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with rtsp_process.running() as process:
        yield process


def watch(url: str, *, silence_seconds: float = 5.0, tls: ssl.SSLContext | None = None) -> LiveMedia:
    return open_rtsp(parse_url(url), GUARD, open_seconds=10, silence_seconds=silence_seconds, tls=tls)


@pytest.mark.parametrize(("path", "codec"), [("/h264", "h264"), ("/mjpeg", "mjpeg")])
def test_pictures_come_at_their_times(server: Server, path: str, codec: str) -> None:
    media = watch(server.url(path))
    assert (media.info.width, media.info.height, media.info.codec) == (160, 120, codec)
    assert media.info.is_live
    assert media.info.duration_seconds is None
    frames = [frame for frame, _ in zip(media.sampled_frames(5), range(5), strict=False)]
    assert [frame.pts_seconds for frame in frames] == pytest.approx([0, 0.2, 0.4, 0.6, 0.8])
    assert {frame.image.shape for frame in frames} == {(120, 160, 3)}
    # A white ball that moves, on black.
    assert all(frame.image.max() > 200 and np.median(frame.image) < 40 for frame in frames)
    assert not np.array_equal(frames[0].image, frames[-1].image)
    with pytest.raises(VideoError, match="read only once"):
        media.sampled_frames(1)
    media.close()
    media.close()


def test_a_live_stream_starts_now(server: Server) -> None:
    media = watch(server.url("/mjpeg"))
    with pytest.raises(SettingError, match="starts now"):
        media.sampled_frames(1, start_seconds=3)
    media.close()
    with pytest.raises(VideoError, match="while open"):
        media.sampled_frames(1)


@pytest.mark.parametrize("port", ["port", "digest_port"], ids=["basic", "digest"])
def test_the_password_reaches_the_server(server: Server, port: str) -> None:
    user = f"{USER}:{quote(PASSWORD, safe='')}@"
    media = watch(server.url("/secret/h264", user=user, port=port))
    assert next(media.sampled_frames(5)).image.shape == (120, 160, 3)
    media.close()
    for other in (f"{USER}:wrong@", ""):
        with pytest.raises(SourceUnreachableError, match="401 Unauthorized"):
            watch(server.url("/secret/h264", user=other, port=port))


def test_a_path_that_is_not_there(server: Server) -> None:
    with pytest.raises(SourceUnreachableError, match="404 Not Found"):
        watch(server.url("/nothing"))


def test_a_server_that_speaks_udp_only_is_told_apart(server: Server) -> None:
    with pytest.raises(SourceUnreachableError, match="the server offers only UDP, but Keepsight needs RTSP over TCP"):
        watch(server.url("/udp"))


def test_an_orderly_end_just_ends(server: Server) -> None:
    media = watch(server.url("/short"))
    frames = list(media.sampled_frames(10))
    media.close()
    assert 12 <= len(frames) <= 16


def test_the_pictures_may_change_their_size(server: Server) -> None:
    media = watch(server.url("/resize"))
    shapes = [frame.image.shape[:2] for frame, _ in zip(media.sampled_frames(10), range(20), strict=False)]
    media.close()
    assert shapes == sorted(shapes)
    assert set(shapes) == {(120, 160), (160, 208)}


def test_a_server_that_falls_silent_has_stalled(server: Server) -> None:
    media = watch(server.url("/stall"), silence_seconds=3.0)
    seen: list[Frame] = []
    with pytest.raises(SourceStalledError, match="is connected but sends nothing"):
        seen.extend(media.sampled_frames(10))
    media.close()
    assert len(seen) >= 5


def test_a_lost_server_is_told_after_the_frames_and_can_be_found_again() -> None:
    rtsp_process.require_server()
    server = Server()
    server.start()
    media = watch(server.url("/mjpeg"))
    frames = media.sampled_frames(10)
    seen = [next(frames) for _ in range(3)]
    server.kill()
    with pytest.raises(SourceUnreachableError, match="closed the connection"):
        seen.extend(frames)
    media.close()
    assert [frame.pts_seconds for frame in seen] == pytest.approx([k / 10 for k in range(len(seen))])
    with pytest.raises(SourceUnreachableError, match="refused"):
        watch(server.url("/mjpeg"))
    server.start()
    again = watch(server.url("/mjpeg"))
    assert next(again.sampled_frames(10)).pts_seconds == 0
    again.close()
    server.kill()


def test_closing_leaves_no_connection_and_no_thread(server: Server) -> None:
    media = watch(server.url("/mjpeg"))
    next(media.sampled_frames(10))
    media.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "rtsp-relay"]


def make_certificate(folder: Path) -> tuple[Path, Path]:
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=camera"
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command.split(), *names], check=True, capture_output=True)
    return key, certificate


def serve_tls(listener: socket.socket, context: ssl.SSLContext, port: int) -> None:
    """Decrypts for the server at a port, one connection after another."""
    while True:
        try:
            plain, _ = listener.accept()
        except OSError:
            return
        with plain, socket.create_connection(("127.0.0.1", port)) as server:
            try:
                with context.wrap_socket(plain, server_side=True) as secure:
                    answers = Thread(target=copy, args=(server, secure), daemon=True)
                    answers.start()
                    copy(secure, server)
                    server.shutdown(socket.SHUT_RDWR)
                    answers.join()
            except OSError:
                continue


def copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        return


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl, which makes the certificate")
def test_rtsps_is_encrypted_and_the_certificate_checked(server: Server, tmp_path: Path) -> None:
    key, certificate = make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        front = Thread(target=serve_tls, args=(listener, context, server.ports["port"]), daemon=True)
        front.start()
        port = listener.getsockname()[1]
        url = f"rtsps://{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{port}/secret/h264"
        with pytest.raises(SourceUnreachableError, match="self-signed certificate"):
            watch(url)
        media = watch(url, tls=ssl.create_default_context(cafile=str(certificate)))
        frames = [frame for frame, _ in zip(media.sampled_frames(10), range(5), strict=False)]
        media.close()
        assert len(frames) == 5
        listener.shutdown(socket.SHUT_RDWR)
        front.join(5)
