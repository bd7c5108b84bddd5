"""A camera that sends H.264 in an MPEG transport stream over HTTP, so that a process of its own decodes it."""

import itertools
import json
import threading
import time
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import av

from benchmarks.rig.crowd import Crowd
from benchmarks.rig.toy import enlarged, toy_frames
from keepsight.settings import Settings


class HttpCamera:
    """A stream that shows a toy story again and again, at its pace, for as long as somebody is connected.

    Args:
        number: of the camera.
        clip_seconds: a clip has so many.
        num_clips: of the story.
        picture_size: width and height of its pictures.
    """

    def __init__(self, number: int, clip_seconds: float, num_clips: int, picture_size: tuple[int, int]) -> None:
        self._fps = Settings().frames_per_clip / clip_seconds
        self._size = picture_size
        self._frames = toy_frames(Settings(), first_clip=0, num_clips=num_clips, seed=number)
        self._is_over: threading.Event | None = None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def begin(self, crowd: Crowd) -> str:
        """See `Source`."""
        self._is_over = crowd.is_over
        address = f"http://127.0.0.1:{self._server.server_address[1]}/live.ts"
        body = {"source": address, "sample_fps": self._fps, "restart": True}
        return str(json.loads(crowd.send("POST", "/v1/streams", (201,), body))["id"])

    def keep(self, crowd: Crowd, number: int) -> None:
        """See `Source`."""
        crowd.is_over.wait()
        crowd.send("POST", f"/v1/streams/{crowd.streams[number]}/pause", (200, 409))

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "video/mp2t")
                self.end_headers()
                try:
                    camera._send(self.wfile)
                except (OSError, av.FFmpegError):  # the client has disconnected
                    return

            def log_message(self, format: str, *args: object) -> None:
                """Nothing."""

        return Handler

    def _send(self, file: Any) -> None:
        """Pictures, each when its time has come."""
        time_base = Fraction(1, 90_000)
        began = time.monotonic()
        with av.open(_WriteOnly(file), "w", format="mpegts", options={"flush_packets": "1"}) as container:
            options = {"preset": "ultrafast", "tune": "zerolatency", "g": str(max(1, round(4 * self._fps)))}
            stream = container.add_stream("libx264", rate=Fraction(self._fps).limit_denominator(1000), options=options)
            stream.width, stream.height = self._size
            stream.pix_fmt, stream.codec_context.time_base = "yuv420p", time_base
            for place in itertools.count():
                wait = began + place / self._fps - time.monotonic()
                if self._is_over is None or self._is_over.wait(max(0.0, wait)):
                    return
                image = enlarged(self._frames[place % len(self._frames)].image, self._size)
                picture = av.VideoFrame.from_ndarray(image, format="rgb24")
                picture.pts, picture.time_base = round(place / self._fps / time_base), time_base
                container.mux(stream.encode(picture))


class _WriteOnly:
    """A file that PyAV can't try to seek in."""

    def __init__(self, file: Any) -> None:
        self.write = file.write
