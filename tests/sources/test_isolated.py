"""Decoding in another process: the same frames, the same errors, and nothing it does reaches this one."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from keepsight import errors
from keepsight.errors import DecoderDiedError, SettingError, VideoError
from keepsight.sources.address import SourceAddress
from keepsight.sources.isolated import IsolatedReader
from keepsight.sources.worker_pipe import DecodeLimits, decoder_memory_bytes
from keepsight.video import open_video
from tests.patience import wait_for

MakeVideo = Callable[..., Path]


def isolated(path: Path | str, **limits: float) -> IsolatedReader:
    return IsolatedReader(SourceAddress.parse(str(path)), DecodeLimits(**limits))  # type: ignore[arg-type]


def is_running(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_frames_are_those_of_the_file(make_video: MakeVideo) -> None:
    path = make_video(10)
    with open_video(path) as video, isolated(path) as reader:
        assert reader.info == video.info
        expected = list(video.sampled_frames(2.0, start_seconds=3.0))
        got = list(reader.sampled_frames(2.0, start_seconds=3.0))
    assert [frame.pts_seconds for frame in got] == [frame.pts_seconds for frame in expected]
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_array_equal(one.image, other.image)


@pytest.mark.skipif(not Path("/proc/self/statm").is_file(), reason="needs Linux's list of processes")
def test_memory_of_decoders_is_that_of_their_processes(make_video: MakeVideo) -> None:
    before = decoder_memory_bytes().keys()  # other tests' servers may decode pictures
    with isolated(make_video(10)) as one, isolated(make_video(10)) as other:
        next(one.sampled_frames(2.0))
        counted = decoder_memory_bytes()
        status = Path(f"/proc/{one.process_id}/status").read_text()
        said = int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) * 1024
    assert counted.keys() - before == {one.process_id, other.process_id}
    assert counted[one.process_id] == pytest.approx(said, rel=0.2)
    assert not decoder_memory_bytes().keys() & {one.process_id, other.process_id}


def test_errors_arrive_as_they_were_raised(tmp_path: Path, make_video: MakeVideo) -> None:
    with pytest.raises(errors.SourceNotFoundError, match="no such file"):
        isolated(tmp_path / "none.mp4")
    text = tmp_path / "text.mp4"
    text.write_text("no video at all")
    with pytest.raises(errors.NotAVideoError, match="as a video"):
        isolated(text)
    cut = tmp_path / "cut.avi"
    cut.write_bytes(make_video(10).read_bytes()[:-3000])
    with pytest.raises(errors.TruncatedVideoError):
        isolated(cut)


def test_a_crash_costs_the_frames_that_were_to_come(make_video: MakeVideo) -> None:
    with isolated(make_video(60)) as reader:
        frames = reader.sampled_frames(8.0)
        assert next(frames).pts_seconds == 0
        os.kill(reader.process_id, signal.SIGSEGV)
        with pytest.raises(DecoderDiedError, match="SIGSEGV"):
            list(frames)


def test_memory_has_a_limit(tmp_path: Path) -> None:
    """A picture of 8,000 x 8,000 takes more than the process may have."""
    import av

    path = tmp_path / "large.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=1)
        stream.width, stream.height, stream.pix_fmt = 8000, 8000, "yuvj420p"
        picture = av.VideoFrame(8000, 8000, "yuvj420p")
        for plane in picture.planes:
            plane.update(bytes(plane.buffer_size))
        container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    with isolated(path) as reader:
        assert next(iter(reader.sampled_frames(1.0))).image.shape == (8000, 8000, 3)
    with pytest.raises(VideoError), isolated(path, memory_megabytes=400) as reader:
        list(reader.sampled_frames(1.0))


def test_silence_has_a_limit(make_video: MakeVideo) -> None:
    with isolated(make_video(60), silence_seconds=3.0) as reader:
        frames = reader.sampled_frames(8.0)
        next(frames)
        os.kill(reader.process_id, signal.SIGSTOP)
        with pytest.raises(DecoderDiedError, match=r"no picture for 3 s"):  # it would wait for ever without a limit
            list(frames)
    assert not is_running(reader.process_id)


def test_closing_leaves_no_process_behind(make_video: MakeVideo) -> None:
    reader = isolated(make_video(60))
    next(reader.sampled_frames(8.0))
    reader.close()
    reader.close()
    assert not is_running(reader.process_id)
    with pytest.raises(VideoError, match="closed"):
        reader.sampled_frames(1.0)


def test_a_watcher_that_is_killed_leaves_no_decoder_behind(make_video: MakeVideo) -> None:
    code = (
        "import sys, time; from keepsight.sources.isolated import IsolatedReader;"
        "from keepsight.sources.address import SourceAddress;"
        "reader = IsolatedReader(SourceAddress.parse(sys.argv[1]));"
        "frames = reader.sampled_frames(8.0); next(frames); print(reader.process_id, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(make_video(60))], stdout=subprocess.PIPE) as watcher:
        assert watcher.stdout is not None
        worker = int(watcher.stdout.readline())
        assert is_running(worker)
        watcher.kill()
    wait_for(lambda: not is_running(worker), "the decoder ends")


def test_a_decoder_that_hangs_ends_with_its_reader(make_video: MakeVideo) -> None:
    """The reader is killed while the decoder does not write: it cannot notice by its pipe."""
    code = (
        "import sys, time; from keepsight.sources.isolated import IsolatedReader;"
        "from keepsight.sources.address import SourceAddress;"
        "reader = IsolatedReader(SourceAddress.parse(sys.argv[1]));"
        "frames = reader.sampled_frames(0.01); print(reader.process_id, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(make_video(60))], stdout=subprocess.PIPE) as watcher:
        assert watcher.stdout is not None
        worker = int(watcher.stdout.readline())
        os.kill(worker, signal.SIGSTOP)
        watcher.kill()
    os.kill(worker, signal.SIGCONT)
    wait_for(lambda: not is_running(worker), "the decoder ends")


def test_credentials_are_not_in_the_list_of_processes(make_video: MakeVideo) -> None:
    with isolated(make_video(10)) as reader:
        command = Path(f"/proc/{reader.process_id}/cmdline").read_bytes().decode()
    assert command.split("\0")[1:] == ["-m", "keepsight.sources.worker", ""]


@pytest.mark.parametrize("change", [{"memory_megabytes": 10}, {"silence_seconds": 0}, {"open_seconds": -1}])
def test_limits_out_of_range_are_refused(change: dict[str, float]) -> None:
    with pytest.raises(SettingError):
        DecodeLimits(**change)  # type: ignore[arg-type]
