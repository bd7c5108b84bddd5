"""A model whose numbers overflow under a server: the stream fails with what to try, and others in its batches go on."""

import threading
from pathlib import Path
from typing import Any

from keepsight.models.loading import load_model
from keepsight.server.settings import ServerSettings
from tests.models.overflowing import write_brightening_video, write_overflowing_model
from tests.server.served import serve


def test_a_stream_that_overflows_fails_and_the_others_go_on(tmp_path: Path) -> None:
    model: Any = load_model(write_overflowing_model(tmp_path / "model"), device="cpu", dtype="float16")
    model.gate, model.answer_gate = threading.Event(), threading.Event()
    dark = write_brightening_video(tmp_path / "dark.mp4", dark_seconds=8, bright_seconds=0)
    brightening = write_brightening_video(tmp_path / "brightening.mp4", dark_seconds=4, bright_seconds=4)
    settings = ServerSettings(tmp_path / "a.db", roots=(tmp_path,), port=0)
    with serve(settings, model) as served:
        failing, going = served.client.begin(brightening), served.client.begin(dark)
        view = served.client.wait_for_state(failing, "failed")
        assert view["reason"] == (
            "visual tokens must be finite, got NaN or infinity in float16: the model's numbers overflow; "
            "try --dtype bfloat16 or --dtype float32"
        )
        assert served.client.wait_for_state(going, "complete")["num_clips"] == 4
        assert served.client("GET", f"/v1/streams/{failing}").data["num_clips"] == 2
        memory = served.client("GET", f"/v1/streams/{failing}/memory").data
        assert [clip["clip_index"] for clip in memory["clips"]] == [0, 1]
