"""The example in examples/ is installed by pip and used by name, as another's package is."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from keepsight.journal import Journal
from keepsight.settings import Settings
from tests.small_videos import MakeVideo

EXAMPLE = Path(__file__).parent.parent / "examples" / "keepsight-example-plugin"
KEEPSIGHT = [sys.executable, "-c", "from keepsight.cli import main; main()"]


def assert_source_is_watched(folder: Path, keepsight: Callable[..., str]) -> None:
    """A folder of arrays, by its address: described once, then resumed where it has grown."""
    (folder / "frames").mkdir()

    def watch(numbers: range) -> list[dict[str, Any]]:
        for number in numbers:
            np.save(folder / "frames" / f"{number:04}.npy", np.full((120, 160, 3), number, np.uint8))
        words = ("watch", "npy://frames?fps=2", "--sample-fps", "2", "--journal", "frames.db")
        return [json.loads(line) for line in keepsight(*words).splitlines()]

    clips = [event for event in watch(range(40)) if event["event"] == "clip"]
    assert [clip["end_seconds"] for clip in clips] == [8.0, 16.0, 20.0]
    again = watch(range(40, 48))
    assert [event["start_seconds"] for event in again if event["event"] == "clip"] == [16.0]
    with Journal.open(folder / "frames.db") as journal:
        (stream,) = journal.streams.all()
    assert stream.source == f"npy://{(folder / 'frames').resolve()}?fps=2"


@pytest.mark.slow
def test_the_example_is_installed_and_used(tmp_path: Path, make_video: MakeVideo) -> None:
    source, site = tmp_path / "source", tmp_path / "site"
    shutil.copytree(EXAMPLE, source)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--no-build-isolation", "--target", str(site), str(source)], check=True, timeout=300)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")]))}

    def keepsight(*words: str) -> str:
        done = subprocess.run(
            [*KEEPSIGHT, *words], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    (methods,) = [line for line in keepsight("bench", "list").splitlines() if line.startswith("methods")]
    assert methods.endswith(", constant")
    keepsight("bench", "run", "--method", "constant", "--videos", "1", "--minutes", "1", "--processes", "1")
    results = json.loads((tmp_path / "bench" / "results.json").read_text(encoding="utf-8"))
    assert results["methods"]["constant"].endswith("text='yes') (keepsight-example-plugin 0.1.0)")
    assert {prediction["answer"] for prediction in results["predictions"]} == {"yes"}

    words = ("--selector", "newest-frames", "--retention", "0.25", "--sample-fps", "2", "--journal", "a.db")
    events = [json.loads(line) for line in keepsight("watch", str(make_video(seconds=10)), *words).splitlines()]
    assert events[-1]["event"] == "summary"
    with Journal.open(tmp_path / "a.db") as journal:
        (stream,) = journal.streams.all()
        clips = list(journal.clips.of(stream.id))
    assert_source_is_watched(tmp_path, keepsight)
    recorded = json.loads(stream.settings_json)["selector"]
    assert recorded == {"name": "newest-frames", "package": "keepsight-example-plugin 0.1.0"}
    assert Settings.from_json(stream.settings_json).retention == 0.25
    for clip in clips:
        kept = clip.num_visual_tokens // 4
        assert clip.kept_indices.tolist() == list(range(clip.num_visual_tokens - kept, clip.num_visual_tokens))
