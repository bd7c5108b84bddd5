"""What is wrong with an input is one clear line on stderr and exit code 2, and nothing that was stored is lost."""

import re
import shutil
import sqlite3
import wave
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from keepsight.errors import ModelTooBigError
from keepsight.journal import EndReason, Journal, Quota, apply_quota
from keepsight.settings import SELECTOR_NAMES
from tests.cli.ended import Keepsight, MakeVideo
from tests.journal.clip_records import make_clip

WATCH = ("--model", "fake", "--sample-fps", 2)


def make_audio(path: Path) -> None:
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(b"\0\0" * 8000)


def make_foreign_database(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE mine (x)")
    connection.close()


def make_newer_journal(path: Path) -> None:
    Journal.create(path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 999")
    connection.close()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: None, "no such file"),
        (lambda path: path.mkdir(), "has no images"),
        (lambda path: path.touch(), "is empty"),
        (lambda path: path.write_text("hello " * 500), "as a video"),
        (
            lambda path: path.write_text("1\n00:00:00,000 --> 00:00:01,000\nA dog.\n\n" * 3),
            "^cannot read a.mp4 as a video: it is none, or its format is not supported$",
        ),
        (make_audio, "no pictures|no video"),
    ],
    ids=["missing", "empty folder", "empty", "text", "subtitles", "audio"],
)
def test_a_source_that_cannot_be_watched(keepsight: Keepsight, make: Callable[[Path], object], says: str) -> None:
    make(Path("a.mp4"))
    ended = keepsight("watch", "a.mp4", *WATCH)
    assert ended.code == 2
    assert re.search(says, ended.complaint)
    assert ended.out == ""
    assert not Path("a.db").exists()


@pytest.mark.parametrize("address", ["http://[::1", "https://a]b/", "HTTP://[", "rtsp://["])
def test_a_malformed_address(keepsight: Keepsight, address: str) -> None:
    ended = keepsight("watch", address, "--allow-private", *WATCH)
    assert ended.code == 2
    assert "the address is malformed" in ended.complaint


def test_a_truncated_video_keeps_what_was_captioned_and_answers_about_it(
    keepsight: Keepsight, make_video: MakeVideo
) -> None:
    copy_pictures(make_video(seconds=60), Path("whole.avi"))
    content = Path("whole.avi").read_bytes()
    Path("cut.avi").write_bytes(content[: len(content) * 2 // 3])
    ended = keepsight("watch", "cut.avi", *WATCH, "--ask", "Where is the dog?")
    assert ended.code == 2
    assert "frames end" in ended.complaint
    assert len(ended.of("clip")) >= 3
    assert len(ended.of("answer")) == 1
    with Journal.open("cut.db", read_only=True) as journal:
        stream = journal.streams.latest()
        assert stream is not None
        assert stream.end_reason == "truncated"
        assert journal.clips.count(stream.id) == len(ended.of("clip"))


def copy_pictures(source: Path, target: Path) -> None:
    """The same pictures in an AVI file, which can be read without its end."""
    import av

    with av.open(str(source)) as reading, av.open(str(target), "w") as writing:
        stream = writing.add_stream_from_template(reading.streams.video[0])
        for packet in reading.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                writing.mux(packet)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--sample-fps", 0), "--sample-fps must be a number from 1e-06 to 1000, got 0.0"),
        (("--max-days", 1e308), "--max-days must be a number over 0 and at most 1000000, or none, got 1e+308"),
        (
            ("--max-gigabytes", 1e308),
            "--max-gigabytes must be a number over 0 and at most 1000000, or none, got 1e+308",
        ),
        (("--sample-fps", 1e-320), "--sample-fps must be a number from 1e-06 to 1000, got 1e-320"),
        (("--sample-fps", -1), "--sample-fps must"),
        (("--sample-fps", "nan"), "--sample-fps must"),
        (("--retention", 0), "--retention must"),
        (("--retention", 1.5), "--retention must"),
        (("--memory-clips", -1), "--memory-clips must"),
        (
            ("--selector", "best"),
            f"--selector must be one of {', '.join(SELECTOR_NAMES)}, got 'best'",
        ),
        (
            ("--selector", "atention"),
            f"--selector must be one of {', '.join(SELECTOR_NAMES)}, got 'atention'; did you mean attention?",
        ),
        (("--score-heads", "maxx"), "--score-heads must be one of mean, max, got 'maxx'; did you mean max?"),
        (
            ("--drop", "drop-odlest"),
            "--drop must be one of drop-oldest, drop-newest, thin, got 'drop-odlest'; did you mean drop-oldest?",
        ),
        (
            ("--dtype", "float61"),
            "--dtype must be one of float32, float16, bfloat16, or none, got 'float61'; did you mean float16?",
        ),
        (("--ask", " "), "the question of --ask must have at least one visible character, got only white space"),
        (
            ("--ask", "Who?", "--ask", "\udcff"),
            "the question of --ask must be valid UTF-8, got '\\udcff' at character 1",
        ),
        (("--memory-clips", "many"), "--memory-clips must be a whole number of at least 0, got 'many'"),
        (("--frobnicate",), "No such option"),
        (
            ("--device", "tpu"),
            "--device must be auto, cpu, cuda, cuda:NUMBER, mps, all or several such as cuda:0,cuda:1, or none, "
            "got 'tpu'",
        ),
        (("--device", "cuda:0,cpu"), "--device must be auto, cpu, cuda, cuda:NUMBER, mps, all or several such as"),
    ],
    ids=str,
)
def test_settings_and_options_outside_what_is_allowed(
    keepsight: Keepsight, make_video: MakeVideo, options: tuple[object, ...], says: str
) -> None:
    model = () if "--device" not in options else ("--model", "no-such-folder")
    ended = keepsight("watch", make_video(seconds=8), *WATCH, *model, *options)
    assert ended.code == 2
    assert says in ended.complaint
    assert not list(Path().glob("*.db"))


@pytest.mark.parametrize(
    "words",
    [("frobnicate",), ("watch",), ("ask", "a.db"), ("report",), ("toyworld",), ("toyworld", "make")],
    ids=" ".join,
)
def test_a_command_that_is_not_complete(keepsight: Keepsight, words: tuple[str, ...]) -> None:
    ended = keepsight(*words)
    assert ended.code == 2
    assert "See keepsight --help." in ended.complaint


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("wacth",), "No such command 'wacth'. Did you mean 'watch'? See keepsight --help."),
        (("frobnicate",), "No such command 'frobnicate'. See keepsight --help."),
        (("ask",), "Missing argument 'JOURNAL'. See keepsight --help."),
    ],
    ids=str,
)
def test_typers_own_lines_end_with_one_mark(keepsight: Keepsight, words: tuple[str, ...], says: str) -> None:
    assert keepsight(*words).complaint == says


def test_an_unknown_model(keepsight: Keepsight, make_video: MakeVideo) -> None:
    ended = keepsight("watch", make_video(seconds=8), "--model", "hugest")
    assert ended.code == 2
    assert "no such model: 'hugest'" in ended.complaint
    ended = keepsight("watch", make_video(seconds=8), "--model", "tinny")
    assert (ended.code, ended.complaint) == (2, "no such model: 'tinny'; did you mean tiny?")
    assert not list(Path().glob("*.db"))


def test_a_model_that_does_not_fit(
    keepsight: Keepsight, make_video: MakeVideo, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ModelTooBigError("big needs about 17.4 GB in float16, but cpu has 2.0 GB free")

    monkeypatch.setattr("keepsight.models.loading.load_model", refuse)
    ended = keepsight("watch", make_video(seconds=8), "--model", "big")
    assert (ended.code, ended.complaint) == (2, "big needs about 17.4 GB in float16, but cpu has 2.0 GB free")


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: path.write_text("not a journal " * 100), "not a Keepsight journal"),
        (make_foreign_database, "not a Keepsight journal"),
        (make_newer_journal, "upgrade Keepsight"),
    ],
    ids=["text", "other database", "newer"],
)
@pytest.mark.parametrize("command", ["watch", "ask", "report"])
def test_a_file_that_is_no_journal_of_ours_is_left_as_it_was(
    keepsight: Keepsight, make_video: MakeVideo, make: Callable[[Path], object], says: str, command: str
) -> None:
    path = Path("a.db")
    make(path)
    before = path.read_bytes()
    words = {
        "watch": ("watch", make_video(seconds=8), *WATCH, "--journal", path),
        "ask": ("ask", path, "Where?"),
        "report": ("report", path),
    }
    ended = keepsight(*words[command])
    assert ended.code == 2
    assert says in ended.complaint
    assert path.read_bytes() == before
    assert not Path("a.html").exists()


@pytest.mark.parametrize("words", [("ask", "a.db", "Where?"), ("report", "a.db")], ids=["ask", "report"])
def test_a_journal_that_is_missing_or_empty(keepsight: Keepsight, words: tuple[str, ...]) -> None:
    assert "no journal at a.db" in keepsight(*words).complaint
    Journal.create("a.db").close()
    ended = keepsight(*words)
    assert ended.code == 2
    assert "nothing has been" in ended.complaint


def test_a_journal_that_a_quota_emptied_can_answer_nothing(keepsight: Keepsight) -> None:
    with Journal.create("a.db") as journal:
        stream = journal.streams.begin("/a.mp4", "tiny", "{}")
        for index in range(2):
            journal.clips.add(make_clip(stream.id, index))
        journal.streams.end(stream.id, EndReason.COMPLETE, 64.0)
        apply_quota(journal, Quota(max_bytes=1), datetime.now(UTC))
    says = "no clip is left in a.db: the quota removed all 2; set a higher quota to keep clips longer"
    ended = keepsight("ask", "a.db", "Where?")
    assert (ended.code, ended.complaint) == (2, says)


def test_a_full_disk_while_watching_keeps_what_was_printed(
    keepsight: Keepsight, make_video: MakeVideo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal gets room for some clips only, by SQLite's own limit, which fails as a full disk does."""
    create = Journal.create
    create("empty.db").close()
    room = Path("empty.db").stat().st_size + 40_000
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "create", lambda path: create(path, max_bytes=room))
        ended = keepsight("watch", make_video(seconds=400), *WATCH, "--journal", "a.db")
    assert ended.code == 2
    assert "full" in ended.complaint
    announced = [clip["caption"] for clip in ended.of("clip")]
    assert 1 <= len(announced) < 50
    with Journal.open("a.db", read_only=True) as journal:
        stream = journal.streams.latest()
        assert stream is not None
        assert [clip.caption for clip in journal.clips.captions(stream.id)] == announced


def test_a_full_disk_while_writing_the_report(keepsight: Keepsight, make_video: MakeVideo) -> None:
    keepsight("watch", make_video(seconds=8), *WATCH, "--journal", "a.db")
    ended = keepsight("report", "a.db", "-o", "/dev/full")
    assert ended.code == 2
    assert "cannot write the report /dev/full: No space left on device" in ended.complaint


def test_the_report_never_replaces_the_journal(keepsight: Keepsight, make_video: MakeVideo) -> None:
    keepsight("watch", make_video(seconds=8), *WATCH, "--journal", "a.db")
    shutil.copy("a.db", "before.db")
    ended = keepsight("report", "a.db", "-o", "./a.db")
    assert ended.code == 2
    assert Path("a.db").read_bytes() == Path("before.db").read_bytes()
