"""A process that decodes and has been taken over can say anything: what it says ends in one typed error."""

import io
import json
import os
import stat
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepsight.errors import DecoderDiedError, SourceStalledError, VideoError
from keepsight.sources.address import SourceAddress
from keepsight.sources.isolated import IsolatedReader
from keepsight.sources.messages import MAX_LINE_BYTES, Message, read_message
from keepsight.sources.worker_pipe import DecodeLimits

INFO = {
    "type": "info",
    "width": 64,
    "height": 48,
    "duration_seconds": 1.0,
    "average_fps": 25.0,
    "codec": "h264",
    "rotation_degrees": 0,
    "num_frames": 25,
    "is_live": False,
    "started_at": None,
}
LINES = [
    b"",
    b"\0" * 100,
    b"[" * 16_000 + b"\n",
    b'{"a":' * 3_000 + b"\n",
    b"x" * (2 * MAX_LINE_BYTES),
    b"1" * 5_000 + b"\n",
    b'{"type": 5}\n',
    b'{"type": "end"}\n',
    b'{"type": "info"}\n',
    b'{"type": "info", "run": "this"}\n',
    b'{"type": "error", "kind": "SystemExit", "message": "x"}\n',
    b'{"type": "error", "kind": "__builtins__"}\n',
    b'{"type": "error", "kind": "VideoError", "message": "a\\nb\\u001b[31m"}\n',
    b'{"type": "frame", "width": true, "height": 1, "pts_seconds": 0}\n',
    b'{"type": "frame", "width": 1, "height": 1, "pts_seconds": 1' + b"0" * 400 + b"}\nabc",
    b'{"type": "frame", "width": 100000, "height": 100000, "pts_seconds": 0}\n',
    b'{"type": "frame", "width": 100, "height": 100, "pts_seconds": 0}\ntoo little',
    *[
        json.dumps(INFO | change).encode() + b"\n"
        for change in (
            {"width": "wide"},
            {"height": -1},
            {"num_frames": 10**30},
            {"duration_seconds": float("nan")},
            {"average_fps": [1]},
            {"started_at": 1e300},
            {"codec": None},
            {"is_live": "no"},
            {"more": 1},
        )
    ],
]


@pytest.fixture
def taken_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where to put what is run instead of the process that decodes."""
    script = tmp_path / "taken-over"
    script.write_text("#!/bin/sh\nexec cat said\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "executable", str(script))
    return tmp_path


def read_all() -> int:
    with IsolatedReader(SourceAddress.parse("video.mp4"), DecodeLimits(open_seconds=20, silence_seconds=20)) as reader:
        return len(list(reader.sampled_frames(1.0)))


@pytest.mark.parametrize("said", LINES, ids=range(len(LINES)))
def test_whatever_it_says_first_is_a_typed_error(taken_over: Path, said: bytes) -> None:
    (taken_over / "said").write_bytes(said)
    with pytest.raises(VideoError) as raised:
        read_all()
    assert str(raised.value).isprintable()


@pytest.mark.parametrize("said", LINES, ids=range(len(LINES)))
def test_whatever_it_says_after_a_good_beginning_is_a_typed_error_or_an_end(taken_over: Path, said: bytes) -> None:
    (taken_over / "said").write_bytes(json.dumps(INFO).encode() + b"\n" + said)
    try:
        num_frames, message = read_all(), ""
    except VideoError as error:
        num_frames, message = 0, str(error)
    assert num_frames == 0
    assert message.isprintable()


@pytest.mark.parametrize(("command", "how"), [("kill -37 $$", "signal"), ("exit 3", "exit code 3")])
def test_however_it_ends_is_said(taken_over: Path, command: str, how: str) -> None:
    (taken_over / "taken-over").write_text(f"#!/bin/sh\n{command}\n")
    with pytest.raises(DecoderDiedError, match=how):
        read_all()


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=5)
FRAMES = st.fixed_dictionaries({"type": st.just("frame"), "width": JSON, "height": JSON, "pts_seconds": JSON})


@given(st.binary(max_size=300) | FRAMES.map(lambda values: json.dumps(values).encode() + b"\n" + bytes(300)))
def test_bytes_give_messages_or_a_typed_error(data: bytes) -> None:
    file = io.BytesIO(data)
    try:
        message = read_message(file.readline, file.read)
    except VideoError:
        return
    assert message is None or isinstance(message, Message)


def test_a_pipe_that_nobody_writes_to_is_waited_for_no_longer_than_it_may_take(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.mp4"
    os.mkfifo(pipe)
    with pytest.raises(SourceStalledError, match=r"for 1\.5 s"):
        IsolatedReader(SourceAddress.parse(str(pipe)), DecodeLimits(open_seconds=1.5))
