"""Every malformed or odd file gives what the table says: frames, or one typed error on one line; nothing else dies."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from keepsight.engine.watcher import Watcher
from keepsight.errors import TruncatedVideoError, VideoError
from keepsight.incoming import one_line
from keepsight.journal import EndReason, Journal
from keepsight.settings import Settings
from keepsight.sources.address import SourceAddress
from keepsight.sources.isolated import IsolatedReader
from tests.child_process import importing_tests
from tests.fake_model import FakeModel
from tests.hostile import corpus
from tests.hostile.fork_server import MEMORY_MEGABYTES, ForkServer
from tests.hostile.outcomes import MOST_FRAMES, SAMPLE_FPS, Outcome, Sample
from tests.hostile.small_media import H264_FIRST, encoded
from tests.patience import PROCESS_SECONDS

SAMPLES = corpus.samples()
QUICK = Settings(frames_per_clip=4, sample_fps=10.0, retention=0.25, memory_clips=3, max_caption_tokens=32)
DOCUMENT = Path(__file__).parents[2] / "docs" / "hostile-input.md"
THROUGH_A_WORKER = (
    "animated.apng",
    "two-sizes.ts",
    "cut-first-0.7.mp4",
    "flipped-ts-4.ts",
    "lying-many.mp4",
    "lying-bytes.mp4",
    "starts.h264",
    "magic.avi",
    "concat:a|b.mp4",
    "line\nbreak\x1b[31m\x07.mp4",
    "text\r\n\x1b]0;title\x07\u202e.mp4",
    os.fsdecode(b"not-utf8-\xff.mp4"),
)


@pytest.fixture(scope="module")
def server() -> Iterator[ForkServer]:
    started = ForkServer()
    yield started
    started.close()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """The folder that the script wrote, and the table that it printed."""
    folder = tmp_path_factory.mktemp("corpus")
    done = subprocess.run(
        [sys.executable, "-m", "tests.hostile.corpus", str(folder)],
        env=importing_tests(),
        capture_output=True,
        text=True,
        check=True,
        timeout=PROCESS_SECONDS,
    )
    return folder, done.stdout.splitlines()


def name_in_tests(sample: Sample) -> str:
    return one_line(sample.name)[:40]


def is_running(process: int) -> bool:
    stat = Path(f"/proc/{process}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def peak_bytes(process: int) -> int:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)


@pytest.mark.parametrize("sample", SAMPLES, ids=name_in_tests)
def test_a_file_gives_what_the_table_says(sample: Sample, written: tuple[Path, list[str]], server: ForkServer) -> None:
    outcome = server.read(written[0] / sample.name)
    assert sample.expected.complaints(outcome) == []
    assert outcome.peak_bytes < MEMORY_MEGABYTES * 1e6


@pytest.mark.parametrize("name", THROUGH_A_WORKER, ids=lambda name: one_line(name)[:40])
def test_the_same_comes_out_of_the_process_that_decodes(name: str, written: tuple[Path, list[str]]) -> None:
    sample = next(sample for sample in SAMPLES if sample.name == name)
    path = written[0] / name
    sizes: list[tuple[int, int]] = []
    error = message = ""
    process = peak = 0
    try:
        with IsolatedReader(SourceAddress.parse(str(path))) as reader:
            process = reader.process_id
            for frame in reader.sampled_frames(SAMPLE_FPS):
                sizes.append((frame.image.shape[1], frame.image.shape[0]))
                if len(sizes) == 10:
                    peak = peak_bytes(process)
    except VideoError as raised:
        error, message = type(raised).__name__, str(raised)
    first_last = sizes[:1] + [size for size in sizes[-1:] if size != sizes[0]]
    outcome = Outcome(len(sizes), tuple(side for size in first_last for side in size), error, message)
    assert sample.expected.complaints(outcome) == []
    assert peak < MEMORY_MEGABYTES * 1e6
    assert not (process and is_running(process))


def test_names_are_told_apart_and_the_corpus_is_large() -> None:
    assert len({sample.name for sample in SAMPLES}) == len(SAMPLES) >= 100


@pytest.mark.parametrize("name", ["cut-avi-0.5.avi", "flipped-mkv-3.mkv", "late-start.mkv", "deep.mkv"])
def test_a_file_is_made_of_the_same_bytes_each_time(name: str, tmp_path: Path) -> None:
    sample = next(sample for sample in SAMPLES if sample.name == name)
    sample.make(tmp_path / "one")
    sample.make(tmp_path / "other")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path, server: ForkServer) -> None:
    path = tmp_path / "secret.mp4"
    path.write_bytes(encoded())
    path.chmod(0)
    outcome = server.read(path)
    assert (outcome.error, "can't be read" in outcome.message) == ("NotAVideoError", True)


def test_what_was_captioned_before_the_damage_is_in_the_journal(tmp_path: Path) -> None:
    data = encoded(H264_FIRST, range(150))
    whole, damaged = tmp_path / "whole.mp4", tmp_path / "damaged.mp4"
    whole.write_bytes(data)
    damaged.write_bytes(data[: len(data) * 6 // 10] + bytes(len(data) * 4 // 10))
    with Watcher(FakeModel(), tmp_path / "whole.db", QUICK) as watcher:
        captions = [moment.caption for moment in watcher.watch(whole)]
    seen = []
    with Watcher(FakeModel(), tmp_path / "damaged.db", QUICK) as watcher:
        with pytest.raises(TruncatedVideoError, match="truncated or damaged"):
            seen += [moment.caption for moment in watcher.watch(damaged)]
        assert watcher.stream is not None
        assert watcher.stream.end_reason == EndReason.TRUNCATED
    with Journal.open(tmp_path / "damaged.db") as journal:
        stream = journal.streams.latest()
        assert stream is not None
        stored = [clip.caption for clip in journal.clips.of(stream.id)]
    assert 3 < len(stored) < len(captions)
    # The last clip may be short, and up to two pictures before the damage are coded after it.
    assert stored[:-2] == captions[: len(stored) - 2]


def test_the_script_writes_the_corpus_and_prints_its_table(written: tuple[Path, list[str]]) -> None:
    folder, printed = written
    assert printed == corpus.table(SAMPLES)
    assert {path.name for path in folder.iterdir()} >= {sample.name for sample in SAMPLES}


def test_the_document_has_the_table() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert "\n".join(corpus.table(SAMPLES)) in text
    assert f"{len(SAMPLES)} files" in text
    assert f"{MOST_FRAMES:,}" in text
