"""Frames that other programs push, and the format they are pushed in."""

import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from threading import Thread

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepsight.errors import (
    NotAVideoError,
    SettingError,
    SourceNotFoundError,
    SourceUnreachableError,
    VideoError,
)
from keepsight.sources.messages import MAX_LINE_BYTES, read_message, write_frame, write_message
from keepsight.sources.readers.pushed import PushedReader, open_pushed
from keepsight.video import Frame
from keepsight.video.containers import MAX_PIXELS

DOCUMENT = Path(__file__).parents[2] / "docs" / "sources.md"


def frame_of(grey: int, seconds: float, size: tuple[int, int] = (4, 6)) -> Frame:
    return Frame(np.full((*size, 3), grey, np.uint8), seconds)


def pushed(*frames: Frame, end: bytes = b'{"type": "end"}\n', before: bytes = b"") -> io.BytesIO:
    file = io.BytesIO()
    file.write(before)
    for frame in frames:
        write_frame(file, frame)
    file.write(end)
    file.seek(0)
    return file


def seen(reader: PushedReader, sample_fps: float) -> list[tuple[float, int]]:
    return [(frame.pts_seconds, int(frame.image[0, 0, 0])) for frame in reader.sampled_frames(sample_fps)]


def series(times: list[float]) -> list[Frame]:
    return [frame_of(place, seconds) for place, seconds in enumerate(times)]


@pytest.mark.parametrize("fps", [0.5, 1, 3, 10, 29.97])
def test_frames_at_the_sampling_rate_go_through_one_for_one(fps: float) -> None:
    reader = PushedReader(pushed(*series([place / fps for place in range(50)])))
    assert seen(reader, fps) == [(pytest.approx(place / fps), place) for place in range(50)]


def test_faster_and_slower_pushing_is_sampled() -> None:
    assert seen(PushedReader(pushed(*series([0, 0.25, 0.5, 0.75, 1.0]))), 2) == [(0, 0), (0.5, 2), (1, 4)]
    assert seen(PushedReader(pushed(*series([0, 2]))), 1) == [(0, 0), (1, 0), (2, 1)]


def test_times_count_from_the_first_frame_and_never_run_back() -> None:
    reader = PushedReader(pushed(*series([1000, 1001, 1000.5, 1002, 5, 6])))
    times = [seconds for seconds, _ in seen(reader, 1)]
    assert times == sorted(set(times))
    assert times[:3] == [0, 1, 2]


@pytest.mark.parametrize("leap", [3 * 3600, 1800, -1800, -2 * 3600])
def test_a_program_whose_clock_is_set_makes_up_no_frames(leap: float) -> None:
    """Between two pictures that come one after the other half an hour can't have passed: nothing is repeated for it."""
    times = [10_000 + place + (leap if place >= 5 else 0) for place in range(10)]
    assert seen(PushedReader(pushed(*series(times))), 1) == [(place, place) for place in range(10)]


def test_what_is_said_of_the_frames() -> None:
    said = b'{"type": "info", "average_fps": 5, "started_at": 1795435389.5, "width": 1}\n{"type": "heartbeat"}\n'
    info = PushedReader(pushed(frame_of(1, 0), before=said)).info
    assert (info.width, info.height, info.average_fps, info.started_at) == (6, 4, 5.0, 1795435389.5)
    assert info.is_live
    odd = b'{"type": "info", "average_fps": true, "started_at": "noon"}\n'
    info = PushedReader(pushed(frame_of(1, 0), before=odd)).info
    assert (info.average_fps, info.started_at) == (None, None)


@pytest.mark.parametrize(
    ("end", "kind", "message"),
    [
        (b"", SourceUnreachableError, 'without an "end"'),
        (b'{"type": "fra', VideoError, "one line of JSON"),
        (b'{"type": "frame", "pts_seconds": 1, "width": 2, "height": 2}\nabc', VideoError, "truncated"),
        (b'{"type": "frame", "pts_seconds": 1, "width": 0, "height": 2}\n', VideoError, "above 0"),
        (b'{"type": "frame", "pts_seconds": NaN, "width": 1, "height": 1}\nabc', VideoError, "must be a number"),
        (b'{"type": "frame", "pts_seconds": -1, "width": 1, "height": 1}\nabc', VideoError, "at least 0"),
        (b'{"type": "frame", "pts_seconds": 1, "width": 9000, "height": 9000}\n', VideoError, f"at most {MAX_PIXELS}"),
        (b'{"type": "error", "message": "no\\nfilm"}\n', VideoError, "reported: no film"),
        (
            b'{"type": "error", "message": "rtsp://a:secret@h/x lost"}\n',
            VideoError,
            r"reported: rtsp://\*\*\*@h/x lost",
        ),
        (b'{"type": "dance"}\n', VideoError, "got 'dance'"),
        (b"\0" * MAX_LINE_BYTES * 2, VideoError, "one line of JSON"),
    ],
)
def test_a_bad_end_is_told_after_the_frames_before(end: bytes, kind: type[VideoError], message: str) -> None:
    frames = PushedReader(pushed(*series([0, 1, 2]), end=end)).sampled_frames(1)
    assert [next(frames).pts_seconds for _ in range(3)] == [0, 1, 2]
    with pytest.raises(kind, match=message):
        next(frames)


def test_it_is_read_once_and_from_now_on() -> None:
    with pytest.raises(SourceUnreachableError, match="ended before its first frame"):
        PushedReader(pushed())
    reader = PushedReader(pushed(frame_of(1, 0)))
    with pytest.raises(SettingError, match="start now"):
        reader.sampled_frames(1, start_seconds=1)
    reader.sampled_frames(1)
    with pytest.raises(VideoError, match="read only once"):
        reader.sampled_frames(1)
    reader.close()
    reader.close()


def test_a_fifo(tmp_path: Path) -> None:
    path = tmp_path / "frames"
    os.mkfifo(path)
    pusher = Thread(target=lambda: path.write_bytes(pushed(*series([0, 1])).getvalue()))
    pusher.start()
    reader = open_pushed(str(path))
    assert seen(reader, 1) == [(0, 0), (1, 1)]
    reader.close()
    pusher.join()


def test_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "frames"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()

        def push() -> None:
            connection, _ = listener.accept()
            with connection:
                for byte in pushed(*series([0, 1])).getvalue():
                    connection.sendall(bytes([byte]))

        pusher = Thread(target=push)
        pusher.start()
        reader = open_pushed(f"unix:{path}")
        assert seen(reader, 1) == [(0, 0), (1, 1)]
        reader.close()
        pusher.join()
    with pytest.raises(SourceUnreachableError, match="refused"):
        open_pushed(f"unix:{path}")


def test_what_is_no_pipe_and_no_socket(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError):
        open_pushed(str(tmp_path / "none"))
    for address in (__file__, f"unix:{__file__}"):
        with pytest.raises(NotAVideoError, match="is no"):
            open_pushed(address)


# The format of messages.


def reads(data: bytes, cuts: list[int] | None = None) -> io.BufferedReader:
    """The bytes as a pipe may give them: cut anywhere."""
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts or [])})

    class Pieces(io.RawIOBase):
        def __init__(self) -> None:
            self.pieces = [data[start:end] for start, end in pairwise(edges)]

        def readable(self) -> bool:
            return True

        def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]
            if not self.pieces:
                return 0
            piece = self.pieces.pop(0)
            taken, rest = piece[: len(buffer)], piece[len(buffer) :]
            self.pieces[:0] = [rest] if rest else []
            buffer[: len(taken)] = taken
            return len(taken)

    return io.BufferedReader(Pieces())


frames_of_any_kind = st.builds(
    lambda height, width, seconds, seed: Frame(
        np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8), seconds
    ),
    st.integers(1, 9),
    st.integers(1, 9),
    st.floats(0, 1e12),
    st.integers(0, 2**32),
)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9)
values_of_any_kind = st.dictionaries(
    st.text(max_size=8).filter(lambda name: name != "type"),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9), st.lists
    ),
    max_size=4,
)


@given(st.lists(frames_of_any_kind | values_of_any_kind, max_size=6), st.lists(st.integers(0), max_size=12))
def test_messages_come_as_they_were_written_however_they_are_cut(
    messages: list[Frame | dict[str, object]], cuts: list[int]
) -> None:
    file = io.BytesIO()
    for written in messages:
        if isinstance(written, Frame):
            write_frame(file, written)
        else:
            file.write(json.dumps({"type": "info", **written}).encode() + b"\n")
    pipe = reads(file.getvalue(), cuts)
    for written in messages:
        message = read_message(pipe.readline, pipe.read)
        assert message is not None
        if isinstance(written, Frame):
            assert message.frame is not None
            assert message.frame.pts_seconds == written.pts_seconds
            assert np.array_equal(message.frame.image, written.image)
        else:
            assert (message.kind, message.values, message.frame) == ("info", written, None)
    assert read_message(pipe.readline, pipe.read) is None


def nearly_messages() -> st.SearchStrategy[bytes]:
    numbers = st.integers() | st.floats() | st.just(10**400) | st.booleans() | st.none() | st.text(max_size=3)
    lines = st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("pts_seconds", "width", "height"), numbers) | {"type": st.sampled_from(["frame"])}
    ).map(lambda values: json.dumps(values).encode() + b"\n")
    return st.lists(lines | st.binary(max_size=30), max_size=4).map(b"".join)


@given(nearly_messages())
def test_garbage_is_no_other_error_and_asks_for_no_more_than_a_picture(data: bytes) -> None:
    file = io.BytesIO(data)
    asked: list[int] = []

    def read(size: int) -> bytes:
        asked.append(size)
        return file.read(size)

    def read_line(size: int) -> bytes:
        asked.append(size)
        return file.readline(size)

    with suppress(VideoError):
        while read_message(read_line, read) is not None:
            continue
    assert max(asked) <= MAX_PIXELS * 3


@pytest.mark.parametrize(
    "line",
    [
        b"[" * (MAX_LINE_BYTES - 1) + b"\n",
        b'{"a":' * 3000 + b"\n",
        b'{"type": "frame", "pts_seconds": 1' + b"0" * 400 + b', "width": 1, "height": 1}\n',
        b'{"type": "frame", "pts_seconds": 0, "width": 1' + b"0" * 4000 + b', "height": 1}\n',
    ],
    ids=["nested lists", "nested objects", "a time beyond all floats", "a huge picture"],
)
def test_lines_that_python_chokes_on(line: bytes) -> None:
    file = io.BytesIO(line)
    with pytest.raises(VideoError):
        read_message(file.readline, file.read)


def test_other_messages_are_written_on_a_line_of_their_own() -> None:
    file = io.BytesIO()
    write_message(file, "error", message="a\nb")
    assert file.getvalue().count(b"\n") == 1


# The examples of the document.


def examples() -> list[str]:
    return re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), flags=re.DOTALL)


def output_of(code: str, stdin: bytes = b"") -> PushedReader:
    done = subprocess.run([sys.executable, "-c", code], input=stdin, stdout=subprocess.PIPE, check=True)
    return PushedReader(io.BytesIO(done.stdout))


def test_the_first_example_pushes_what_it_says() -> None:
    frames = list(output_of(examples()[0]).sampled_frames(4))
    assert [frame.pts_seconds for frame in frames] == [number / 4 for number in range(8)]
    assert [int((frame.image[0, :, 0] == 255).sum()) for frame in frames] == [number * 8 for number in range(8)]


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs the ffmpeg program")
def test_the_example_with_ffmpeg_pushes_the_film(tmp_path: Path) -> None:
    with av.open(tmp_path / "input.mp4", "w") as container:
        stream = container.add_stream("mpeg4", rate=8)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(16):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((48, 64, 3), 128, np.uint8))))
        container.mux(stream.encode(None))
    command = re.findall(r"```sh\n(ffmpeg .*?)\n```", DOCUMENT.read_text(encoding="utf-8"))[0]
    pixels = subprocess.run(command.split(), cwd=tmp_path, stdout=subprocess.PIPE, check=True).stdout
    reader = output_of(examples()[1], pixels)
    times = [seconds for seconds, grey in seen(reader, 4) if abs(grey - 128) < 6]
    assert times == [number / 4 for number in range(8)]
