"""Decoding of JPEG, PNG, WebP and BMP images from clients, in a separate process."""

import json
import subprocess
import sys
import threading
import time
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from keepsight.errors import DecoderDiedError, VideoError
from keepsight.incoming import one_line
from keepsight.sources.messages import Message, read_message
from keepsight.sources.worker_pipe import DecodeLimits, WorkerPipe

_MEGABYTES = 1_000  # enough for an image of 8,192 x 8,192, its decoder, and Python
_SECONDS = 20.0


class PictureDecoder:
    """Decodes images one at a time. Starts its process on first use, and restarts it after a crash.

    Thread-safe.

    Args:
        limits: memory and time limits of the process.
    """

    def __init__(self, limits: DecodeLimits | None = None) -> None:
        self._limits = limits or DecodeLimits(memory_megabytes=_MEGABYTES, silence_seconds=_SECONDS)
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe: WorkerPipe | None = None

    def decode(self, content: bytes, max_pixels: int) -> NDArray[np.uint8]:
        """Decode one image, upright.

        Args:
            content: file content.
            max_pixels: pixel limit.

        Returns:
            RGB `[height, width, 3]`.

        Raises:
            VideoError: it is unreadable or too large.
            DecoderDiedError: decoding crashed or hit its limits; the next image gets a new process.
        """
        with self._lock:
            try:
                message = self._answer_to(content, max_pixels)
            except (OSError, VideoError) as error:  # TimeoutError is an OSError
                self._end()
                raise DecoderDiedError("the image decoder process died on this image") from error
            if message is None:
                self._end()
                raise DecoderDiedError("the image decoder process died on this image")
        if message.frame is None:
            raise VideoError(one_line(message.values.get("message")))
        return message.frame.image

    def close(self) -> None:
        """End the process. Idempotent."""
        with self._lock:
            self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _answer_to(self, content: bytes, max_pixels: int) -> Message | None:
        process, pipe = self._running()
        if process.stdin is None:
            return None
        asked = {"num_bytes": len(content), "max_pixels": max_pixels}
        process.stdin.write(json.dumps(asked).encode() + b"\n" + content)
        process.stdin.flush()
        pipe.wait_until = time.monotonic() + self._limits.silence_seconds
        return read_message(pipe.read_line, pipe.read_exactly)

    def _running(self) -> tuple["subprocess.Popen[bytes]", WorkerPipe]:
        if self._process is not None and self._pipe is not None and self._process.poll() is None:
            return self._process, self._pipe
        self._end()
        process = subprocess.Popen(
            [sys.executable, "-m", "keepsight.sources.picture_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C on a terminal reaches only the server
        )
        if process.stdin is None or process.stdout is None:
            raise DecoderDiedError("the image decoder process has no pipes")
        self._process, self._pipe = process, WorkerPipe(process.stdout)
        process.stdin.write(json.dumps({"memory_megabytes": self._limits.memory_megabytes}).encode() + b"\n")
        return self._process, self._pipe

    def _end(self) -> None:
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:  # an image that it never read
                    continue
        self._process = self._pipe = None
