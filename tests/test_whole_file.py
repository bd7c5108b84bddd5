import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from keepsight.whole_file import write_whole
from tests.patience import DEADLINE_SECONDS, wait_for


def test_a_file_is_made_or_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    for content in (b"one", b"another"):
        write_whole(tmp_path / "a.html", content)
        assert (tmp_path / "a.html").read_bytes() == content
    assert list(tmp_path.iterdir()) == [tmp_path / "a.html"]


def test_an_error_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_whole(tmp_path / "a.html", b"before")

    def refuse(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="No space left"):
        write_whole(tmp_path / "a.html", b"after")
    assert (tmp_path / "a.html").read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [tmp_path / "a.html"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "real.html").write_bytes(b"before")
    (tmp_path / "link.html").symlink_to(tmp_path / "folder" / "real.html")
    write_whole(tmp_path / "link.html", b"after")
    assert (tmp_path / "link.html").is_symlink()
    assert (tmp_path / "folder" / "real.html").read_bytes() == b"after"


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    write_whole(tmp_path / "pipe", b"content")
    reader.join(DEADLINE_SECONDS)
    assert read == [b"content"]
    assert (tmp_path / "pipe").is_fifo()


def test_two_programs_that_write_at_once_leave_the_whole_content_of_one(tmp_path: Path) -> None:
    """The first is stopped half-way until the second is done; neither writes into what the other puts into place."""
    second_is_done = threading.Event()

    def halves() -> Iterator[bytes]:
        yield b"a" * 100_000
        second_is_done.wait(DEADLINE_SECONDS)
        yield b"a" * 100_000

    first = threading.Thread(target=lambda: write_whole(tmp_path / "a.html", halves()))
    first.start()
    wait_for(lambda: bool(list(tmp_path.iterdir())), "the first has begun")
    write_whole(tmp_path / "a.html", b"b" * 50_000)
    assert (tmp_path / "a.html").read_bytes() == b"b" * 50_000
    second_is_done.set()
    first.join(DEADLINE_SECONDS)
    assert (tmp_path / "a.html").read_bytes() == b"a" * 200_000
    assert list(tmp_path.iterdir()) == [tmp_path / "a.html"]
