"""A web server on loopback that serves what it is given, well or with faults.

Resources are plain functions of a request, so a test says what goes wrong in one line:

    server.put("/a.mp4", served(data))                      # with ranges
    server.put("/b.mp4", served(data, ranges=False, kill_after=1000))
"""

import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from time import sleep

import av
import numpy as np

from keepsight.sources.network.connections import Timeouts
from keepsight.sources.network.guard import Guard, ResolvedAddress
from tests.patience import DEADLINE_SECONDS

Answer = Callable[["Handler"], None]

PATIENT = Timeouts(connect_seconds=60, read_seconds=60, head_seconds=60, body_seconds=120, pause_seconds=0.01)
"""For servers that answer, however busy the machine is."""

HASTY = Timeouts(connect_seconds=60, read_seconds=1.5, head_seconds=1.5, body_seconds=1.5, pause_seconds=0.01)
"""For servers that stop answering: long enough for all that they answer before."""


class AllowingLoopback(Guard):
    """A guard to which the server's address is as good as one on the open internet; all others are judged."""

    def resolve(self, host: str, port: int) -> ResolvedAddress:
        if host == "127.0.0.1":
            return ResolvedAddress(host, host, port)
        return super().resolve(host, port)


@dataclass
class Seen:
    """A request that came."""

    path: str
    headers: dict[str, str] = field(repr=False)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "FaultServer"

    def do_GET(self) -> None:
        self.close_connection = True
        self.server.seen.append(Seen(self.path, {k.lower(): v for k, v in self.headers.items()}))
        answer = self.server.answers.get(self.path.partition("?")[0], status(404))
        try:
            answer(self)
            self.wfile.flush()
        except OSError:  # the client has gone, as it may
            return

    def log_message(self, format: str, *args: object) -> None:
        return

    def head(self, code: int, **headers: object) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def cut(self) -> None:
        """End the connection the hard way."""
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)


class FaultServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, Answer] = {}
        self.seen: list[Seen] = []
        self.is_over = threading.Event()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def url(self, path: str, host: str = "127.0.0.1", user: str = "") -> str:
        return f"http://{user}{host}:{self.port}{path}"

    def put(self, path: str, answer: Answer) -> str:
        self.answers[path] = answer
        return self.url(path)

    def handle_error(self, request: object, client_address: object) -> None:
        return


@contextmanager
def running() -> Iterator[FaultServer]:
    with FaultServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.is_over.set()
            server.shutdown()
            thread.join()


def status(code: int) -> Answer:
    return lambda handler: handler.head(code, Content_Length=0)


def redirect(location: str, code: int = 302) -> Answer:
    return lambda handler: handler.head(code, Location=location, Content_Length=0)


def served(
    data: bytes,
    *,
    ranges: bool = True,
    content_type: str = "video/mp4",
    length: int | None = None,
    kill_after: int | None = None,
    kills: int = 1_000_000,
    stall_after: int | None = None,
    stall_seconds: float = DEADLINE_SECONDS,
    part_bytes: int | None = None,
    etag: Callable[[], str] = lambda: '"one"',
) -> Answer:
    """A file.

    Args:
        length: a length to claim that is not the file's.
        kill_after: bytes of a response after which the connection breaks.
        kills: how many times it does.
        stall_after: bytes of a response after which nothing more comes.
        part_bytes: most bytes of one answer to a range.
        etag: what the file's tag is by now.
    """
    left = [kills]

    def answer(handler: Handler) -> None:
        whole = len(data) if length is None else length
        wanted = handler.headers.get("Range") if ranges else None
        if handler.headers.get("If-Range", etag()) != etag():
            wanted = None
        start, end = 0, whole
        if wanted is not None:
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            start, end = int(first), min(whole, int(last) + 1 if last else whole)
            end = min(end, start + part_bytes) if part_bytes else end
            if start >= whole:
                handler.head(416, Content_Length=0)
                return
        headers: dict[str, object] = {"Content_Type": content_type, "Content_Length": end - start, "ETag": etag()}
        if wanted is not None:
            headers["Content_Range"] = f"bytes {start}-{end - 1}/{whole}"
        handler.head(206 if wanted is not None else 200, **headers)
        body = data[start:end]
        if kill_after is not None and len(body) > kill_after and left[0] > 0:
            left[0] -= 1
            handler.wfile.write(body[:kill_after])
            handler.cut()
        elif stall_after is not None:
            handler.wfile.write(body[:stall_after])
            handler.wfile.flush()
            handler.server.is_over.wait(stall_seconds)
        else:
            handler.wfile.write(body)

    return answer


def streamed(
    pieces: Iterable[bytes], *, chunked: bool = False, content_type: str = "video/mp2t", pause_seconds: float = 0.0
) -> Answer:
    """Bytes without a length; with chunks their end is marked, else the connection just closes."""

    def answer(handler: Handler) -> None:
        if chunked:
            handler.head(200, Content_Type=content_type, Transfer_Encoding="chunked")
        else:
            handler.head(200, Content_Type=content_type)
        for piece in pieces:
            handler.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
            handler.wfile.flush()
            sleep(pause_seconds)
        if chunked:
            handler.wfile.write(b"0\r\n\r\n")

    return answer


def raw(*pieces: bytes, pause_seconds: float = 0.0) -> Answer:
    """Bytes instead of a response, as they are."""

    def answer(handler: Handler) -> None:
        for piece in pieces:
            handler.wfile.write(piece)
            handler.wfile.flush()
            sleep(pause_seconds)

    return answer


def then(*answers: Answer) -> Answer:
    """A different answer each time; the last one stays."""
    left = list(answers)

    def answer(handler: Handler) -> None:
        (left.pop(0) if len(left) > 1 else left[0])(handler)

    return answer


def grey_video(
    format_name: str,
    levels: Iterable[int],
    *,
    size: tuple[int, int] = (64, 48),
    first_second: float = 0.0,
    fps: int = 10,
    options: dict[str, str] | None = None,
) -> bytes:
    """A video whose picture k is of the k-th grey level; every tenth is a key frame."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "video")
        with av.open(str(path), "w", format=format_name, container_options=options or {}) as container:
            _encode(container, levels, size, first_second, fps)
        return path.read_bytes()


def _encode(
    container: av.container.OutputContainer, levels: Iterable[int], size: tuple[int, int], first_second: float, fps: int
) -> None:
    codec_options = {"g": "10", "bf": "0", "sc_threshold": "0"}
    stream = container.add_stream("libx264", rate=fps, options=codec_options)
    stream.width, stream.height, stream.pix_fmt = size[0], size[1], "yuv420p"
    stream.codec_context.time_base = Fraction(1, fps)
    for number, level in enumerate(levels):
        picture = np.full((size[1], size[0], 3), level, np.uint8)
        # Something that moves, so that a picture is not a few bytes.
        picture[: size[1] // 2 : 2, (number * 3) % size[0] :: 5] += 9
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
        frame.pts, frame.time_base = round(first_second * fps) + number, Fraction(1, fps)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def split_fragments(fragmented: bytes) -> tuple[bytes, list[bytes]]:
    """The header of a fragmented MP4 file and its fragments."""
    places, place = [], 0
    while place < len(fragmented):
        length, kind = int.from_bytes(fragmented[place : place + 4], "big"), fragmented[place + 4 : place + 8]
        if kind in (b"moof", b"mfra"):
            places.append(place)
        place += length
    ends = [*places[1:], len(fragmented)]
    pieces = [fragmented[a:b] for a, b in zip(places, ends, strict=True)]
    return fragmented[: places[0]], [piece for piece in pieces if piece[4:8] == b"moof"]


def playlist(*lines: str, seconds: float = 1.0, first: int = 0, is_ended: bool = True) -> bytes:
    """A media playlist: tags stay as they are, each other line is a segment of so many seconds."""
    body = [line if line.startswith("#") else f"#EXTINF:{seconds},\n{line}" for line in lines]
    head = ["#EXTM3U", "#EXT-X-VERSION:7", f"#EXT-X-TARGETDURATION:{seconds}", f"#EXT-X-MEDIA-SEQUENCE:{first}"]
    return "\n".join([*head, *body, *(["#EXT-X-ENDLIST"] if is_ended else []), ""]).encode()
