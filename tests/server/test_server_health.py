"""A dead decoder is restarted a few times, then its stream is reported, and only that."""

import os
import signal
import threading
from pathlib import Path

import av
import numpy as np
import pytest

from keepsight.errors import DecoderDiedError
from keepsight.hub import run as stream_run
from keepsight.sources.address import SourceAddress
from keepsight.sources.isolated import IsolatedReader
from tests.server.served import Client, Served
from tests.small_videos import MakeVideo


def decoders() -> list[int]:
    """Processes that decode for this one."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            command = stat.with_name("cmdline").read_bytes()
        except OSError:  # it has ended
            continue
        if parent == os.getpid() and b"keepsight.sources" in command:
            found.append(int(stat.parent.name))
    return found


def kill_decoders(stop: threading.Event) -> None:
    while not stop.wait(0.02):
        for process_id in decoders():
            try:
                os.kill(process_id, signal.SIGKILL)
            except ProcessLookupError:
                continue


def ready(client: Client) -> tuple[int, bool, bool, list[str]]:
    reply = client("GET", "/v1/health/ready")
    return reply.status, reply.data["is_ready"], reply.data["is_healthy"], reply.data["failed_streams"]


@pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="needs Linux's list of processes")
def test_a_decoder_that_dies_again_and_again(
    served: Served, make_video: MakeVideo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_run, "RESTART_SECONDS", 600.0)  # a busy machine takes its time
    client, model = served.client, served.model
    model.gate.clear()
    stream_id = client.begin(make_video(60))
    assert ready(client) == (200, True, True, [])
    stop = threading.Event()
    killer = threading.Thread(target=kill_decoders, args=(stop,))
    killer.start()
    try:
        model.gate.set()
        view = client.wait_for_state(stream_id, "failed")
    finally:
        stop.set()
        killer.join()
    assert "died" in view["reason"]
    metrics = client("GET", "/metrics").content.decode()
    assert f"keepsight_decoder_restarts_total {float(stream_run.MOST_RESTARTS)}\n" in metrics
    # The stream is reported; the server is alive, ready, and watches another one.
    assert ready(client) == (200, True, False, [stream_id])
    assert client("GET", "/v1/health/live").status == 200
    client.wait_for_state(client.begin(make_video(4)), "complete")
    # Resumed, it goes on where it was, and all is well again: what was seen has no hole and nothing twice.
    assert client("POST", f"/v1/streams/{stream_id}/resume").status == 200
    client.wait_for_state(stream_id, "complete")
    clips = client("GET", f"/v1/streams/{stream_id}/clips").data["clips"]
    assert [clip["clip_index"] for clip in clips] == list(range(len(clips)))
    ends = [clip["end_seconds"] for clip in clips]
    assert [clip["start_seconds"] for clip in clips] == [0.0, *ends[:-1]]
    assert ends[-1] == 60.0
    assert ready(client) == (200, True, True, [])


def test_a_decoder_that_dies_within_a_picture_has_died(tmp_path: Path) -> None:
    """A picture is larger than a pipe, so that the process is in the midst of the next one when it is killed."""
    video = tmp_path / "large.mp4"
    with av.open(video, "w") as container:
        stream = container.add_stream("mpeg4", rate=4)
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
        for number in range(8):
            picture = np.full((480, 640, 3), number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    with IsolatedReader(SourceAddress.parse(str(video))) as reader:
        frames = reader.sampled_frames(4.0)
        next(frames)
        os.kill(reader.process_id, signal.SIGKILL)
        with pytest.raises(DecoderDiedError, match="died"):
            list(frames)
