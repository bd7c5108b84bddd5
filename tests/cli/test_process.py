"""The command as a process of its own: quick to start, quiet, and no traceback when its reader goes away."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from keepsight.journal import Journal
from keepsight.plugins.packages import GROUPS
from tests.cli.ended import Keepsight, MakeVideo
from tests.models.random_model import RandomShape, write_random_model
from tests.patience import PROCESS_SECONDS
from tests.plug_in import install

KEEPSIGHT = [sys.executable, "-c", "from keepsight.cli import main; main()"]


def test_help_loads_nothing_heavy(tmp_path: Path) -> None:
    groups = {group.removeprefix("keepsight."): "a_part = a_plug_in:Part" for group in GROUPS}
    site = install(tmp_path / "site", "a-plug-in", "a_plug_in", "raise SystemExit('imported')", **groups)
    code = (
        "import sys\nfrom keepsight.cli.app import run\nassert run(['--help']) == 0\n"
        "print(*{'torch', 'av', 'transformers', 'numpy', 'PIL', 'jinja2'} & set(sys.modules), file=sys.stderr)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stderr.split() == []
    for command in ("watch", "ask", "report", "models", "toyworld"):
        assert command in done.stdout


UNNEEDED = {
    "av",
    "huggingface_hub",
    "pandas",
    "scipy",
    "sklearn",
    "sympy",
    "tensorflow",
    "torch._dynamo",
    "torch._inductor",
    "torch.distributed.tensor",
    "torchao",
    "torchvision",
    "transformers",
}
"""What transformers' classes import, themselves, and what decodes video."""


def test_an_answer_of_the_bundled_model_loads_torch_alone(
    keepsight: Keepsight, make_video: MakeVideo, tmp_path: Path
) -> None:
    assert keepsight("watch", make_video(), "--model", "fake", "--sample-fps", 2, "--journal", "a.db").code == 0
    code = (
        "import sys\nfrom keepsight.cli.app import run\n"
        "assert run(['ask', 'a.db', 'What is there now?', '--model', 'tiny', '--device', 'cpu']) == 0\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["answer"]
    loaded = set(done.stderr.splitlines()[-1].split())
    assert {"torch", "tokenizers", "keepsight.models.text_only.model"} <= loaded
    assert loaded & UNNEEDED == set()


def test_the_collection_at_the_end_of_a_process_has_nothing_to_do() -> None:
    code = (
        "import atexit, gc, sys\nfrom keepsight.cli import main\n"
        "atexit.register(lambda: print(gc.get_freeze_count() > len(gc.get_objects()), file=sys.stderr))\n"
        "main(['--version'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "True\n"


def test_version_is_that_of_the_package() -> None:
    from importlib.metadata import version

    done = subprocess.run([*KEEPSIGHT, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"keepsight {version('keepsight')}\n"


def test_without_a_command_there_is_help() -> None:
    done = subprocess.run(KEEPSIGHT, capture_output=True, text=True, check=True)
    assert "Usage: keepsight" in done.stdout


def test_third_party_warnings_stay_away_unless_asked_for() -> None:
    code = (
        "import sys, warnings\nfrom keepsight.cli import main\nimport keepsight.cli.app as app\n"
        "app.run = lambda words: warnings.warn('old', FutureWarning) or 0\nmain([])"
    )
    quiet = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    asked = subprocess.run([sys.executable, "-W", "default", "-c", code], capture_output=True, text=True, check=True)
    assert quiet.stderr == ""
    assert "FutureWarning: old" in asked.stderr


@pytest.fixture(scope="module")
def random_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_random_model(tmp_path_factory.mktemp("model"), RandomShape(num_layers=2))


def start_watching(model: Path, video: Path, folder: Path) -> subprocess.Popen[str]:
    words = [*KEEPSIGHT, "watch", str(video), "--model", str(model), "--sample-fps", "2", "--journal", "a.db"]
    return subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_real_model_in_a_pipe_whose_reader_goes_away(
    random_model: Path, make_video: MakeVideo, tmp_path: Path
) -> None:
    """As `keepsight watch ... | head -2`; what was written so far is kept."""
    process = start_watching(random_model, make_video(seconds=40), tmp_path)
    assert process.stdout is not None
    assert '"event": "start"' in process.stdout.readline()
    first = json.loads(process.stdout.readline())
    process.stdout.close()
    assert process.stderr is not None
    stderr = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=PROCESS_SECONDS) == 141
    assert stderr == ""
    with Journal.open(tmp_path / "a.db", read_only=True) as journal:
        stream = journal.streams.latest()
        assert stream is not None
        assert stream.end_reason == "interrupted"
        assert next(journal.clips.of(stream.id)).caption == first["caption"]


@pytest.mark.slow
def test_another_process_asks_while_watching_goes_on(random_model: Path, make_video: MakeVideo, tmp_path: Path) -> None:
    process = start_watching(random_model, make_video(seconds=3000), tmp_path)  # longer than asking takes
    assert process.stdout is not None
    assert process.stderr is not None
    for _ in range(3):
        process.stdout.readline()
    ask = [*KEEPSIGHT, "ask", "a.db", "Where is the dog?"]
    done = subprocess.run(ask, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    output, stderr = process.communicate(timeout=PROCESS_SECONDS)
    assert process.returncode == 143
    assert "run the same command to resume" in stderr
    answer = json.loads(done.stdout)
    assert answer["num_captions_given"] >= 2
    assert done.stderr == ""
    assert '"event": "summary"' in output.splitlines()[-1]


@pytest.mark.parametrize("num_frames", [0, 20])
def test_a_program_that_dies_while_it_pushes_is_an_error_and_what_it_pushed_is_kept(
    random_model: Path, tmp_path: Path, num_frames: int
) -> None:
    line = b'{"type": "frame", "pts_seconds": %d, "width": 4, "height": 4}\n'
    pushed = b"".join(line % second + bytes(48) for second in range(num_frames))
    words = [*KEEPSIGHT, "watch", "-", "--model", str(random_model), "--sample-fps", "1"]
    done = subprocess.run(words, input=pushed, cwd=tmp_path, capture_output=True)
    complaint = done.stderr.decode().splitlines()[-1]
    assert done.returncode == 2
    assert "stdin ended" in complaint
    journal = tmp_path / "stdin.db"
    assert journal.exists() == bool(num_frames)
    if num_frames:
        with Journal.open(journal) as kept:
            (stream,) = kept.streams.all()
            assert kept.clips.count(stream.id) == 2  # of 16 frames and of 4
            assert stream.end_detail in complaint
