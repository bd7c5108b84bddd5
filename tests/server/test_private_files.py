"""What Keepsight writes is readable by its user alone, whatever the umask."""

import os
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from keepsight.engine.watcher import Watcher
from keepsight.journal import Journal
from keepsight.report import write_report
from keepsight.server.settings import ServerSettings
from keepsight.whole_file import write_whole
from tests.fake_model import FakeModel
from tests.server.served import QUICK, ServedModel, serve
from tests.small_videos import MakeVideo


@pytest.fixture(autouse=True)
def _usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def readable_by_others(folder: Path) -> list[str]:
    """Files and folders below one that anybody but their user may read or enter."""
    return [
        f"{path.relative_to(folder)} {stat.filemode(path.lstat().st_mode)}"
        for path in folder.rglob("*")
        if path.lstat().st_mode & 0o077
    ]


def test_files_of_watching_asking_and_reporting(tmp_path: Path, make_video: MakeVideo) -> None:
    path = tmp_path / "journal.db"
    with Watcher(FakeModel(), path, QUICK) as watcher:
        with closing(watcher.watch(make_video(6))) as moments:
            next(moments)
            assert {child.name.rpartition("journal.db")[2].partition(".")[0] for child in tmp_path.iterdir()} == {
                "",
                "-wal",
                "-shm",
            }
            assert len(list(tmp_path.glob("*.lock"))) == 1
            assert readable_by_others(tmp_path) == []
            list(moments)
        watcher.ask("where is the dog?")
    with Journal.open(path, read_only=True) as journal:
        write_report(journal, tmp_path / "report.html")
    assert readable_by_others(tmp_path) == []
    assert len(list(tmp_path.iterdir())) == 2


def test_files_of_a_server(tmp_path: Path, make_video: MakeVideo) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    settings = ServerSettings(home / "journal.db", roots=(home,), port=0)
    content = make_video(4).read_bytes()
    with serve(settings, ServedModel()) as served:
        client = served.client
        begun = client("POST", "/v1/uploads", {"filename": "kitchen.mp4", "num_bytes": len(content)})
        sent = client("PATCH", f"/v1/uploads/{begun.data['id']}", content, {"Upload-Offset": "0"})
        assert sent.status == 200
        stream = client("POST", "/v1/streams", {"upload_id": begun.data["id"]})
        client.wait_for_state(stream.data["id"], "complete")
        assert client("POST", "/v1/toy", {"minutes": 0.2}).status in (200, 201)
        assert readable_by_others(home) == []
        assert len(list(home.rglob("*"))) > 6
    assert readable_by_others(home) == []


def test_a_file_that_is_replaced_keeps_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_whole(path, b"one")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    write_whole(path, b"two")
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
