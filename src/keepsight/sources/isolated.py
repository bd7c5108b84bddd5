"""Sources read in a separate process, so that a decoder crash never reaches model and journal."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from types import TracebackType
from typing import IO, Any, Self

from keepsight import errors
from keepsight.errors import DecoderDiedError, SourceStalledError, VideoError
from keepsight.incoming import one_line
from keepsight.sources.address import SourceAddress, check_is_under
from keepsight.sources.messages import Message, extent_of, info_of, read_message
from keepsight.sources.plug_in import to_request
from keepsight.sources.settings import SourceSettings
from keepsight.sources.worker_pipe import DecodeLimits, WorkerPipe
from keepsight.video import Frame, VideoInfo
from keepsight.video.packet_times import PacketExtent

_DYING_SECONDS = 2.0


class IsolatedReader:
    """A source opened and decoded by `worker`; has the members of `reader.Reader`.

    Args:
        address: the source.
        limits: limits of the process.
        allow_private: allow addresses in private networks.

    Raises:
        VideoError: the source is not readable; same as the reader's own error.
        DecoderDiedError: the process crashed, or hit its limits.
    """

    def __init__(
        self, address: SourceAddress, limits: DecodeLimits | None = None, *, allow_private: bool = False
    ) -> None:
        self.address = address
        self.extent: PacketExtent | None = None
        self._limits = limits or DecodeLimits()
        stdin = os.dup(0) if address.is_stdin else None
        self._process = _start_worker(stdin)
        self._pipe = WorkerPipe(_stdout_of(self._process))
        try:
            self._ask(
                source=address.text,
                part=None if address.part is None else to_request(address.part),
                allow_private=allow_private,
                stdin_descriptor=stdin,
                video_stream=address.video_stream,
                memory_megabytes=self._limits.memory_megabytes,
            )
            self.info = self._read_info()
        except BaseException:
            self.close()
            raise

    def sampled_frames(
        self,
        sample_fps: float,
        *,
        start_seconds: float = 0.0,
        silence_seconds: float | None = None,
    ) -> Iterator[Frame]:
        """Frames as they are decoded, once: see `Reader.sampled_frames`.

        Args:
            sample_fps: see there.
            start_seconds: see there.
            silence_seconds: frame timeout; None for that of the limits.

        Raises:
            VideoError: reading ended before the source did.
            SourceStalledError: a live source timed out.
            DecoderDiedError: the process crashed, or timed out on a file.
        """
        self._ask(sample_fps=sample_fps, start_seconds=start_seconds)
        return self._frames(self._limits.silence_seconds if silence_seconds is None else silence_seconds)

    @property
    def process_id(self) -> int:
        """Id of the decoder process."""
        return self._process.pid

    def cancel(self) -> None:
        """Kill the process, so that a waiting reader gets `DecoderDiedError`. Thread-safe."""
        if self._process.poll() is None:
            self._process.kill()

    def close(self) -> None:
        """End the process. Idempotent."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None and not pipe.closed:
                try:
                    pipe.close()
                except BrokenPipeError:  # a request that it never read
                    continue

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _frames(self, silence_seconds: float) -> Iterator[Frame]:
        while (message := self._next(silence_seconds, "picture")).kind != "end":
            if message.frame is not None:
                yield message.frame
        self.extent = extent_of(message)

    def _read_info(self) -> VideoInfo:
        return info_of(self._next(self._limits.open_seconds, "video info"))

    def _ask(self, **values: Any) -> None:
        stdin = self._process.stdin
        if stdin is None or stdin.closed:
            raise VideoError(f"{one_line(self.address.name)} is closed")
        try:
            stdin.write(json.dumps(values).encode() + b"\n")
            stdin.flush()
        except BrokenPipeError:
            raise self._died() from None

    def _next(self, wait_seconds: float, awaited: str) -> Message:
        """Next message; raises an error that the process reports."""
        self._pipe.wait_until = time.monotonic() + wait_seconds
        try:
            message = read_message(self._pipe.read_line, self._pipe.read_exactly)
        except TimeoutError:
            self.close()
            kind = SourceStalledError if self.address.may_be_live else DecoderDiedError
            raise kind(f"{one_line(self.address.name)} gave no {awaited} for {wait_seconds:g} s") from None
        except VideoError:
            if self._pipe.is_at_end:  # died within a message
                raise self._died() from None
            raise
        if message is None:
            raise self._died()
        if message.kind == "error":
            raise _error_of(message, self.address)
        return message

    def _died(self) -> DecoderDiedError:
        with suppress(subprocess.TimeoutExpired):  # its pipe is closed: wait briefly for the exit code
            self._process.wait(_DYING_SECONDS)
        self.close()
        code = self._process.returncode
        how = f"signal {_signal_names().get(-code, -code)}" if code < 0 else f"exit code {code}"
        return DecoderDiedError(f"the decoder process of {one_line(self.address.name)} died ({how})")


def connect(address: SourceAddress, settings: SourceSettings) -> IsolatedReader:
    """Open a source in a separate process.

    Raises:
        AddressRefusedError: it is not allowed: see `check_is_under`.
        VideoError: the source is not readable.
    """
    check_is_under(address, settings.roots, allow_private=settings.allow_private)
    return IsolatedReader(address, settings.limits, allow_private=settings.allow_private)


def _start_worker(stdin: int | None) -> "subprocess.Popen[bytes]":
    """Start the process; a stdin with pushed frames is handed over by number, and closed here."""
    handed = () if stdin is None else (stdin,)
    try:
        return subprocess.Popen(
            [sys.executable, "-m", "keepsight.sources.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=handed,
            start_new_session=True,  # Ctrl-C on a terminal reaches only the watcher, which ends this process itself
        )
    finally:
        for descriptor in handed:
            os.close(descriptor)


def _stdout_of(process: "subprocess.Popen[bytes]") -> IO[bytes]:
    if process.stdout is None:
        raise DecoderDiedError("the decoder process has no stdout")
    return process.stdout


def _signal_names() -> dict[int, str]:
    return {one.value: one.name for one in signal.Signals}  # real-time signals between the first and last have no names


def _error_of(message: Message, address: SourceAddress) -> VideoError:
    """Error that the process reports, of its own kind if it is one of ours.

    Our own readers name the source where it matters; a plug-in may not.
    """
    kind = getattr(errors, str(message.values.get("kind")), None)
    if not (isinstance(kind, type) and issubclass(kind, VideoError)):
        kind = VideoError
    text, name = one_line(message.values.get("message")), one_line(address.name)
    return kind(text if address.part is None or name in text else f"{name}: {text}")
