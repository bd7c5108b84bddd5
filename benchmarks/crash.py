"""What is left of a watched stream when its process is killed at any moment, again and again.

A toy video is watched by a process that is killed (SIGKILL) after a random time: before it has begun, in its first
write, between clips, within one, while it goes on after the kill before. Each moment that it hands out it also
announces on a pipe. After each kill the journal is opened by another process: all that was announced must be in it,
nothing twice, and SQLite's own checks must be clean. When the video is watched to its end, the journal must equal that
of a run which nobody disturbed: captions, spans, embeddings, scores, kept tokens, rows of the visual memory. Then it
starts over with a new journal.

A third of the kills count from the start of the process, a third from its first write to the journal, and a third from
an announcement, so that they fall on starting, on a new or resumed journal's first writes and on clips alike, however
long each takes; on a new journal two thirds fall before the first clip. Two models: a stand-in from the tests that
takes no time, so that most of the time goes into reading and writing, and the bundled one, whose captions come from
what the memory holds.

Exit status 1 where anything was lost.
"""

import argparse
import contextlib
import os
import random
import select
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # a process that is forked must not have threads

import torch

from benchmarks.rig.machine import heading, table
from keepsight.engine.watcher import Watcher
from keepsight.journal import Journal
from keepsight.method.protocol import VideoModel
from keepsight.models.loading import load_model
from keepsight.settings import Settings
from keepsight.toyworld.files import ToyVideoSettings, make_video

SETTINGS = Settings(frames_per_clip=4, sample_fps=2.0, retention=0.25, memory_clips=3, max_caption_tokens=12)
LONGEST_RUN_SECONDS = 120.0
_IGNORED = {"id", "stream_id", "seconds_spent", "stored_unix_seconds"}
_LOOK_SECONDS = 0.0005


@dataclass
class Progress:
    """How far a process has come: seconds from its start to its first write, to each announcement, and to now."""

    written: float | None = None
    announced: list[float] = field(default_factory=list)
    elapsed: float = 0.0


@dataclass(frozen=True)
class Announced:
    """What a process said before its end: clip indices and captions."""

    progress: Progress
    clips: dict[int, str]
    num_lines: int
    was_killed: bool


IsTime = Callable[[Progress], bool]


@dataclass
class Tally:
    """What came of the kills with one model."""

    model: str
    kills: int = 0
    before_first_clip: int = 0
    resumed: int = 0
    whole_runs: int = 0
    announced: int = 0
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Trial:
    """What is watched, and by what."""

    model: VideoModel
    video: Path
    folder: Path

    def watch(self, journal: Path) -> Iterator[tuple[int, str]]:
        """Clip index and caption of each moment handed out."""
        with Watcher(self.model, journal, SETTINGS) as watcher:
            for moment in watcher.watch(self.video):
                yield moment.clip_index, moment.caption


def forked(work: Callable[[int], None]) -> tuple[int, int]:
    """Do work in a new process, which is given the writing end of a pipe; its id, and the reading end."""
    reading, writing = os.pipe()
    process = os.fork()
    if process:
        os.close(writing)
        return process, reading
    code = 1
    try:
        os.close(reading)
        work(writing)
        code = 0
    finally:
        if code:
            sys.excepthook(*sys.exc_info())
        os._exit(code)  # the parent's clean-up is not for this process


def run(trial: Trial, journal: Path, is_time: IsTime) -> Announced:
    """Watch in a process of its own.

    Args:
        trial: what is watched.
        journal: new, or of a run that was killed.
        is_time: whether to kill it now; asked some thousand times a second.

    Raises:
        RuntimeError: it hung, or came to an end by itself other than a good one.
    """

    def announce(pipe: int) -> None:
        for index, caption in trial.watch(journal):
            os.write(pipe, f"{index} {caption.encode().hex()}\n".encode())

    before = last_write(journal)
    started = time.perf_counter()
    process, pipe = forked(announce)
    said, progress, was_killed = b"", Progress(), False
    while True:
        if select.select([pipe], [], [], _LOOK_SECONDS)[0]:
            chunk = os.read(pipe, 1 << 16)
            if not chunk:
                break
            said += chunk
            progress.announced += [time.perf_counter() - started] * chunk.count(b"\n")
        progress.elapsed = time.perf_counter() - started
        if progress.written is None and last_write(journal) != before:
            progress.written = progress.elapsed
        if progress.elapsed > LONGEST_RUN_SECONDS or (not was_killed and is_time(progress)):
            os.kill(process, signal.SIGKILL)
            was_killed = True
    os.close(pipe)
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    if status not in (0, -signal.SIGKILL) or progress.elapsed > LONGEST_RUN_SECONDS:
        raise RuntimeError(f"the process ended with status {status} after {progress.elapsed:.1f} s")
    lines = [line.split(b" ") for line in said.split(b"\n")[:-1]]
    clips = {int(index): bytes.fromhex(caption.decode()).decode() for index, caption in lines}
    return Announced(progress, clips, len(lines), status == -signal.SIGKILL)


def last_write(journal: Path) -> int:
    """When the log beside the journal was written last, 0 while there is none."""
    log = journal.with_name(f"{journal.name}-wal")
    try:
        return log.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def content(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """All that two runs must agree on, as the file has it."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        names = [row[1] for row in connection.execute("PRAGMA table_info(clips)") if row[1] not in _IGNORED]
        return {
            "clips": connection.execute(f"SELECT {', '.join(names)} FROM clips ORDER BY id").fetchall(),
            "memory": connection.execute("SELECT clip_index, tokens FROM memory ORDER BY clip_index").fetchall(),
            "streams": connection.execute(
                "SELECT source, model, settings, end_reason, end_seconds, num_tokens_seen, next_clip_index, num_bytes "
                "FROM streams"
            ).fetchall(),
            "gaps": connection.execute("SELECT start_seconds, end_seconds, reason FROM gaps").fetchall(),
        }


def problems_of(path: Path, announced: dict[int, str]) -> Iterator[str]:
    """What is wrong with a journal after a kill."""
    if not path.exists():
        yield from ["announced, and there is no journal"] * bool(announced)
        return
    with contextlib.closing(sqlite3.connect(path)) as connection:
        if connection.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
            yield "integrity check"
        if connection.execute("PRAGMA foreign_key_check").fetchall():
            yield "foreign keys"
        if not connection.execute("PRAGMA user_version").fetchone()[0]:
            yield from ["announced, and the journal is empty"] * bool(announced)
            return
        try:
            connection.execute("INSERT INTO caption_index (caption_index, rank) VALUES ('integrity-check', 1)")
        except sqlite3.DatabaseError:
            yield "full-text index"
        connection.rollback()
    with Journal.open(path) as journal:
        streams = journal.streams.all()
        if len(streams) > 1:
            yield "the stream was begun twice"
        captions = [caption for stream in streams for caption in journal.clips.captions(stream.id)]
    stored = {caption.clip_index: caption.caption for caption in captions}
    if [caption.clip_index for caption in captions] != list(range(len(captions))):
        yield "a clip is missing or twice"
    if not announced.items() <= stored.items():
        yield "announced and lost"


def moment_to_kill(draw: random.Random, undisturbed: Progress, is_new: bool) -> IsTime:
    """A random moment, as long after some event as it may take to the next one but one.

    On a new journal it is not later than the first clip where it counts from the start or the first write: there are
    few of these, and a kill this early is one of those that matter most.
    """
    said = undisturbed.announced
    clip_seconds = (said[-1] - said[0]) / max(1, len(said) - 1)
    past_first_seconds = 0.0 if is_new else clip_seconds
    event = draw.choice(["start", "first write", "announcement"])
    if event == "start":
        at_seconds = draw.uniform(0, said[0] + 2 * past_first_seconds)
        return lambda progress: progress.elapsed >= at_seconds
    if event == "first write":
        longest = said[0] - (undisturbed.written or 0.0) + past_first_seconds
        wait_seconds = draw.uniform(0, longest)
        return lambda progress: progress.written is not None and progress.elapsed >= progress.written + wait_seconds
    number, wait_seconds = draw.randint(1, 3), draw.uniform(0, 1.5 * clip_seconds)
    return lambda progress: (
        len(progress.announced) >= number and progress.elapsed >= progress.announced[number - 1] + wait_seconds
    )


def never(_: Progress) -> bool:
    """For a run that nobody disturbs."""
    return False


def kill_again_and_again(trial: Trial, name: str, num_kills: int, draw: random.Random) -> Tally:
    """Watch the video over and over until the process has been killed so many times."""
    tally = Tally(name)
    whole = trial.folder / f"{name}.db"
    undisturbed = run(trial, whole, never).progress
    expected = content(whole)
    while tally.kills < num_kills:
        journal = trial.folder / f"{name}-{tally.whole_runs}-parts.db"
        announced: dict[int, str] = {}
        is_whole = False
        while not is_whole:
            is_last = tally.kills >= num_kills
            moment = never if is_last else moment_to_kill(draw, undisturbed, is_new=not announced)
            was_begun = journal.exists()
            said = run(trial, journal, moment)
            is_whole = not said.was_killed
            tally.kills += said.was_killed
            tally.before_first_clip += said.was_killed and not announced and not said.clips
            tally.resumed += was_begun
            if said.num_lines > len(said.clips) or announced.keys() & said.clips.keys():
                tally.problems.append("announced twice")
            announced |= said.clips
            tally.problems += problems_of(journal, announced)
        tally.whole_runs += 1
        tally.announced += len(announced)
        tally.problems += [f"{part} differ" for part, rows in content(journal).items() if rows != expected[part]]
    return tally


def rows_of(tallies: list[Tally]) -> list[list[str]]:
    """A line for each model."""
    return [
        [
            tally.model,
            f"{tally.kills}",
            f"{tally.before_first_clip}",
            f"{tally.resumed}",
            f"{tally.whole_runs}",
            f"{tally.announced}",
            f"{len(tally.problems)}",
        ]
        for tally in tallies
    ]


def stand_in() -> VideoModel:
    """The model of the tests, which needs no weights."""
    from tests.fake_model import FakeModel

    model: VideoModel = FakeModel()
    return model


def write_toy_video(path: Path, seconds: float) -> None:
    """In a process of its own, as encoders have threads."""

    def write(_: int) -> None:
        make_video(path, ToyVideoSettings(minutes=seconds / 60, size_pixels=64))

    process, pipe = forked(write)
    os.close(pipe)
    if os.waitpid(process, 0)[1]:
        raise RuntimeError("the toy video could not be written")


def parse() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description="Kills a watching process and looks at what is left, as Markdown.")
    parser.add_argument("--kills", type=int, default=1000, help="with the stand-in model")
    parser.add_argument("--tiny-kills", type=int, default=100, help="with the bundled model")
    parser.add_argument("--seconds", type=float, default=24.0, help="of the toy video")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--quick", action="store_true", help="five kills of each")
    options = parser.parse_args()
    if options.quick:
        options.kills = options.tiny_kills = 5
    return options


def main() -> None:
    """Print the table; the problems, if there are any, on the error stream."""
    options = parse()
    torch.set_num_threads(1)
    draw = random.Random(options.seed)
    folder = Path(tempfile.mkdtemp())
    started = time.perf_counter()
    tallies = []
    try:
        video = folder / "toy.mp4"
        write_toy_video(video, options.seconds)
        for name, load, kills in (
            ("stand-in", stand_in, options.kills),
            ("tiny", lambda: load_model("tiny", device="cpu"), options.tiny_kills),
        ):
            tallies.append(kill_again_and_again(Trial(load(), video, folder), name, kills, draw))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    note = (
        f"A toy video of {options.seconds:g} s in clips of {SETTINGS.frames_per_clip / SETTINGS.sample_fps:g} s, seed "
        f"{options.seed}; {time.perf_counter() - started:.0f} s in all."
    )
    columns = ["model", "kills", "before the first clip", "starts on a begun journal", "videos watched to their end"]
    columns += ["clips announced", "lost, twice, damaged or different"]
    print("\n".join(heading("cpu", note) + table(columns, rows_of(tallies))))
    problems = [problem for tally in tallies for problem in tally.problems]
    if problems:
        sys.exit("\n".join(problems[:20]))


if __name__ == "__main__":
    main()
