"""A clip that was announced is on disk, whenever the process dies; others may read meanwhile."""

import random
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from keepsight.journal import Journal
from tests.child_process import importing_tests
from tests.journal.clip_records import assert_same_clip, make_clip
from tests.journal.database_checks import assert_sound
from tests.patience import PROCESS_SECONDS

WRITER = textwrap.dedent(
    """
    import sys
    import time
    from tests.journal.clip_records import make_clip
    from keepsight.journal import Journal

    with Journal.create(sys.argv[1]) as journal:
        stream = journal.streams.latest() or journal.streams.begin("s", "tiny", "{}")
        index = journal.clips.count(stream.id)
        while True:
            with journal.transaction():
                journal.clips.add(make_clip(stream.id, index))
                held = range(index - 3, index + 1)
                journal.memory.put(stream.id, index, bytes([index % 256]) * 5000, held_clips=held)
            print(index, flush=True)
            index += 1
            time.sleep(float(sys.argv[2]) if sys.argv[2:] else 0.0)
    """
)


def kill_while_writing(path: Path, num_lines: int, spin: int) -> list[int]:
    """Start a writer, kill it some instants after its `num_lines`th announcement; all that it announced."""
    command = [sys.executable, "-c", WRITER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=importing_tests()) as process:
        assert process.stdout is not None
        announced = [int(process.stdout.readline()) for _ in range(num_lines)]
        for _ in range(spin):
            pass
        process.kill()
        announced += [int(line) for line in process.stdout if line.endswith("\n")]
    return announced


def test_announced_clips_survive_kill_at_any_point(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    draw = random.Random(7)
    announced: list[int] = []
    for _ in range(6):
        announced += kill_while_writing(path, draw.randint(1, 12), draw.randint(0, 200_000))
        with Journal.open(path) as journal:
            (stream,) = journal.streams.all()
            stored = list(journal.clips.of(stream.id))
            memory = journal.memory.of(stream.id)
        assert [clip.clip_index for clip in stored] == list(range(len(stored)))
        assert set(announced) <= {clip.clip_index for clip in stored}
        assert len(announced) == len(set(announced))
        for clip in stored:
            assert_same_clip(clip, make_clip(stream.id, clip.clip_index))
        held = [clip.clip_index for clip in stored][-4:]
        assert memory == [(index, bytes([index % 256]) * 5000) for index in held]
        assert_sound(path)


@pytest.mark.parametrize("read_only", [True, False])
def test_another_process_reads_while_one_writes(tmp_path: Path, read_only: bool) -> None:
    path = tmp_path / "journal.db"
    command = [sys.executable, "-c", WRITER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=importing_tests()) as process:
        assert process.stdout is not None
        seen = 0
        for _ in range(15):
            last_announced = int(process.stdout.readline())
            with Journal.open(path, read_only=read_only) as journal:
                (stream,) = journal.streams.all()
                captions, ranked = journal.clips.captions(stream.id), journal.clips.ranked_by(stream.id)
            assert len(ranked.clip_indices) == len(ranked.embeddings) >= len(captions) >= last_announced + 1
            assert len(captions) >= seen
            seen = len(captions)
        process.kill()
        process.stdout.read()


ASKER = textwrap.dedent(
    """
    import sys
    from tests.fake_model import FakeModel
    from keepsight.journal import Journal
    from keepsight.engine.watcher import Watcher

    seen = 0
    with Watcher(FakeModel(), sys.argv[1]) as watcher, Journal.open(sys.argv[1], read_only=True) as reader:
        for _ in range(5):
            answer = watcher.ask("where is number 1?")
            given = answer.num_captions_given + answer.num_captions_left_out
            (stream,) = reader.streams.all()
            clips = [clip.clip_index for clip in reader.clips.of(stream.id)]
            assert clips == list(range(len(clips))) and len(clips) >= given >= seen, (clips, given, seen)
            assert len(reader.clips.search("caption number", limit=9)) == min(9, len(clips))
            seen = given
    print(seen)
    """
)


def test_several_processes_read_and_ask_while_one_watches(tmp_path: Path) -> None:
    """Nobody is kept out or sees half of a clip, and each answer is stored, too."""
    path, environment = tmp_path / "journal.db", importing_tests()
    writer = [sys.executable, "-c", WRITER, str(path), "0.03"]
    asker = [sys.executable, "-c", ASKER, str(path)]
    with subprocess.Popen(writer, stdout=subprocess.PIPE, text=True, env=environment) as watching:
        assert watching.stdout is not None
        announced = [int(watching.stdout.readline())]
        drain = threading.Thread(target=lambda lines: announced.extend(map(int, lines)), args=(watching.stdout,))
        drain.start()
        asking = [
            subprocess.Popen(asker, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
            for _ in range(2)
        ]
        outputs = [process.communicate(timeout=PROCESS_SECONDS) for process in asking]
        watching.kill()
        drain.join()
    assert [(process.returncode, errors) for process, (_, errors) in zip(asking, outputs, strict=True)] == [(0, "")] * 2
    assert all(int(output) > 0 for output, _ in outputs)
    with Journal.open(path) as journal:
        (stream,) = journal.streams.all()
        assert len(journal.answers.of(stream.id)) == 2 * 5
        assert journal.clips.count(stream.id) >= announced[-1] + 1
    assert_sound(path)


def test_threads_share_one_journal(tmp_path: Path) -> None:
    with Journal.create(tmp_path / "journal.db") as journal:
        streams = [journal.streams.begin(str(number), "tiny", "{}") for number in range(4)]

        def write(stream_id: str) -> None:
            for index in range(10):
                with journal.transaction():
                    journal.clips.add(make_clip(stream_id, index))
                    journal.memory.put(stream_id, index, b"t", held_clips=[index])

        threads = [threading.Thread(target=write, args=(stream.id,)) for stream in streams]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for stream in streams:
            assert journal.clips.count(stream.id) == 10
            assert journal.memory.held(stream.id) == [9]


def test_an_error_inside_a_transaction_takes_all_of_it_back(tmp_path: Path) -> None:
    with Journal.create(tmp_path / "journal.db") as journal:
        stream = journal.streams.begin("s", "tiny", "{}")
        journal.clips.add(make_clip(stream.id, 0))

        def write_then_fail() -> None:
            with journal.transaction():
                journal.clips.add(make_clip(stream.id, 1))
                with journal.transaction():
                    journal.clips.add(make_clip(stream.id, 2))
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            write_then_fail()
        assert journal.clips.count(stream.id) == 1
        journal.clips.add(make_clip(stream.id, 1))
        assert journal.clips.count(stream.id) == 2
