"""With roots, no path, link or spelling leads to a file outside of them."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from keepsight.errors import AddressRefusedError, KeepsightError
from keepsight.sources.address import SourceAddress, check_is_under
from keepsight.sources.isolated import connect
from keepsight.sources.settings import SourceSettings

MakeVideo = Callable[..., Path]


@pytest.fixture
def house(tmp_path: Path, make_video: MakeVideo) -> Path:
    """A root with a video in it, a secret beside it, and links that lead out and in."""
    root, secret = tmp_path / "videos", tmp_path / "secret"
    (root / "inner").mkdir(parents=True)
    secret.mkdir()
    video = make_video(5).read_bytes()
    for path in (root / "a.mp4", root / "inner" / "b.mp4", secret / "c.mp4", tmp_path / "videos-of-others.mp4"):
        path.write_bytes(video)
    (root / "out.mp4").symlink_to(secret / "c.mp4")
    (root / "outside").symlink_to(secret)
    (root / "in.mp4").symlink_to(root / "a.mp4")
    (tmp_path / "way-in.mp4").symlink_to(root / "a.mp4")
    os.mkfifo(secret / "frames")
    return root


@pytest.mark.parametrize("name", ["a.mp4", "inner/b.mp4", "in.mp4", "inner/../a.mp4", "./a.mp4", "../way-in.mp4"])
def test_what_lies_inside_is_read(house: Path, name: str) -> None:
    with connect(SourceAddress.parse(f"{house}/{name}"), SourceSettings(roots=(house,))) as reader:
        assert len(list(reader.sampled_frames(1.0))) == 5


@pytest.mark.parametrize(
    "name",
    [
        "../secret/c.mp4",
        "inner/../../secret/c.mp4",
        "out.mp4",
        "outside/c.mp4",
        "outside",
        "..",
        "../videos-of-others.mp4",
        "../secret/frames",
        "//../secret/c.mp4",
    ],
)
def test_what_lies_outside_is_refused(house: Path, name: str) -> None:
    with pytest.raises(AddressRefusedError, match="outside the folders"):
        connect(SourceAddress.parse(f"{house}/{name}"), SourceSettings(roots=(house,)))


@pytest.mark.parametrize(
    "text",
    [
        "/etc/passwd",
        "/proc/self/environ",
        "/dev/video0",
        "v4l2:/dev/video0",
        "unix:/run/frames",
        "~/a.mp4",
        "%2e%2e/secret/c.mp4",
        "..%2fsecret/c.mp4",
        "\uff0e\uff0e/secret/c.mp4",
    ],
)
def test_other_spellings_and_kinds_are_refused(house: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.chdir(house.parent)
    with pytest.raises(AddressRefusedError, match="outside the folders"):
        connect(SourceAddress.parse(text), SourceSettings(roots=(house,)))


def test_a_nul_is_refused(house: Path) -> None:
    with pytest.raises(KeepsightError):
        SourceAddress.parse(f"{house}/a.mp4\0.png")


def test_a_root_may_itself_be_a_link(house: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(house)
    check_is_under(SourceAddress.parse(str(house / "a.mp4")), (link,))
    check_is_under(SourceAddress.parse(str(link / "a.mp4")), (house,))


def test_without_roots_and_for_servers_nothing_is_refused(house: Path) -> None:
    check_is_under(SourceAddress.parse("/etc/passwd"), ())
    check_is_under(SourceAddress.parse("rtsp://camera.example/main"), (house,))
    check_is_under(SourceAddress.parse("-"), (house,))
