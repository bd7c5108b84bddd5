"""A source that is read in a process of its own: what happens there never reaches the model and the journal."""

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
from keepsight.sources.address import SourceAddress
from keepsight.sources.limits import DecodeLimits
from keepsight.sources.messages import Message, info_of, read_message
from keepsight.sources.roots import check_is_under
from keepsight.sources.settings import SourceSettings
from keepsight.sources.worker_pipe import WorkerPipe
from keepsight.video import Frame, VideoInfo
from keepsight.video.wording import one_line

_DYING_SECONDS = 2.0


class IsolatedReader:
    """A source, opened and decoded by `worker`; it has the methods of `reader.Reader`.

    Args:
        address: of the source.
        limits: of the process.
        allow_private: addresses in private networks are allowed, too.

    Raises:
        VideoError: there is nothing that can be read; the same error that the reader itself raises.
        DecoderDiedError: the process crashed, or came to its limits.
    """

    def __init__(
        self, address: SourceAddress, limits: DecodeLimits | None = None, *, allow_private: bool = False
    ) -> None:
        self.address = address
        self._limits = limits or DecodeLimits()
        stdin = os.dup(0) if address.is_stdin else None
        self._process = _start_worker(stdin)
        self._pipe = WorkerPipe(_stdout_of(self._process))
        try:
            self._ask(
                source=address.text,
                allow_private=allow_private,
                stdin_descriptor=stdin,
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
        max_side_pixels: int | None = None,
        silence_seconds: float | None = None,
    ) -> Iterator[Frame]:
        """Frames as they are decoded, once: see `Reader.sampled_frames`.

        Args:
            sample_fps: see there.
            start_seconds: see there.
            max_side_pixels: see there.
            silence_seconds: longest wait for a frame; None takes that of the limits.

        Raises:
            VideoError: reading came to an end that is not the source's own.
            SourceStalledError: a live source sent nothing for so long.
            DecoderDiedError: the process crashed, or a file made it silent for so long.
        """
        self._ask(sample_fps=sample_fps, start_seconds=start_seconds, max_side_pixels=max_side_pixels)
        return self._frames(self._limits.silence_seconds if silence_seconds is None else silence_seconds)

    @property
    def process_id(self) -> int:
        """Of the process that decodes."""
        return self._process.pid

    def cancel(self) -> None:
        """From any thread: kill the process, so that whoever waits for a frame gets `DecoderDiedError`."""
        if self._process.poll() is None:
            self._process.kill()

    def close(self) -> None:
        """End the process. A second call does nothing."""
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

    def _read_info(self) -> VideoInfo:
        return info_of(self._next(self._limits.open_seconds, "word of what it is"))

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
        """The next message; an error that the process reports is raised here."""
        self._pipe.wait_until = time.monotonic() + wait_seconds
        try:
            message = read_message(self._pipe.read_line, self._pipe.read_exactly)
        except TimeoutError:
            self.close()
            kind = SourceStalledError if self.address.may_be_live else DecoderDiedError
            raise kind(f"{one_line(self.address.name)} gave no {awaited} for {wait_seconds:g} s") from None
        except VideoError:
            if self._pipe.is_at_end:  # it died within a message
                raise self._died() from None
            raise
        if message is None:
            raise self._died()
        if message.kind == "error":
            raise _error_of(message)
        return message

    def _died(self) -> DecoderDiedError:
        with suppress(subprocess.TimeoutExpired):  # its pipe is closed: how it ends is worth a moment
            self._process.wait(_DYING_SECONDS)
        self.close()
        code = self._process.returncode
        how = f"signal {_signal_names().get(-code, -code)}" if code < 0 else f"exit code {code}"
        return DecoderDiedError(f"the process that decodes {one_line(self.address.name)} died ({how})")


def connect(address: SourceAddress, settings: SourceSettings) -> IsolatedReader:
    """Open a source in a process of its own.

    Raises:
        AddressRefusedError: it lies outside the folders that sources may be in.
        VideoError: there is nothing that can be read.
    """
    check_is_under(address, settings.roots)
    return IsolatedReader(address, settings.limits, allow_private=settings.allow_private)


def _start_worker(stdin: int | None) -> "subprocess.Popen[bytes]":
    """The process; frames that are pushed on this one's stdin are handed to it under the same number, and let go."""
    handed = () if stdin is None else (stdin,)
    try:
        return subprocess.Popen(
            [sys.executable, "-m", "keepsight.sources.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=handed,
            start_new_session=True,  # Ctrl-C on a terminal goes to the watcher alone, which ends this process itself
        )
    finally:
        for descriptor in handed:
            os.close(descriptor)


def _stdout_of(process: "subprocess.Popen[bytes]") -> IO[bytes]:
    if process.stdout is None:
        raise DecoderDiedError("the process that decodes has no stdout")
    return process.stdout


def _signal_names() -> dict[int, str]:
    return {one.value: one.name for one in signal.Signals}  # real-time signals between the first and the last have none


def _error_of(message: Message) -> VideoError:
    """The error that the process reports, of its own kind where that is one of ours."""
    kind = getattr(errors, str(message.values.get("kind")), None)
    if not (isinstance(kind, type) and issubclass(kind, VideoError)):
        kind = VideoError
    return kind(one_line(message.values.get("message")))
