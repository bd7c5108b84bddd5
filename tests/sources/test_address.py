"""What a user's words for a source mean, and that no password is ever shown."""

import os
from pathlib import Path

import pytest

from keepsight.errors import SettingError
from keepsight.sources.address import SourceAddress, SourceKind


@pytest.mark.parametrize(
    ("text", "kind", "is_always_live"),
    [
        ("kitchen.mp4", SourceKind.FILE, False),
        ("a:b.mp4", SourceKind.FILE, False),
        ("concat:a.mp4|b.mp4", SourceKind.FILE, False),
        ("http://host/a.mp4", SourceKind.HTTP, False),
        ("HTTPS://host/a.mp4", SourceKind.HTTP, False),
        ("https://host/live/index.m3u8?token=1", SourceKind.HLS, False),
        ("https://host.m3u8", SourceKind.HTTP, False),
        ("https://host?a=/live.m3u8", SourceKind.HTTP, False),
        ("http://[::1/a.mp4", SourceKind.HTTP, False),  # malformed: whoever connects refuses it
        ("rtsp://host/stream", SourceKind.RTSP, True),
        ("/dev/video0", SourceKind.CAMERA, True),
        ("v4l2:/dev/video1", SourceKind.CAMERA, True),
        ("-", SourceKind.PUSHED, True),
        ("unix:/run/frames.sock", SourceKind.PUSHED, True),
    ],
)
def test_kinds(text: str, kind: SourceKind, is_always_live: bool) -> None:
    address = SourceAddress.parse(text)
    assert address.kind is kind
    assert address.is_always_live is is_always_live


def test_a_folder_is_its_pictures(tmp_path: Path) -> None:
    assert SourceAddress.parse(str(tmp_path)).kind is SourceKind.FOLDER


@pytest.mark.parametrize(
    ("text", "got"),
    [
        ("noise://0", "noise://0; begin with one of these, or install a package that reads noise://"),
        ("ftp://u:hunter2@host/a", "ftp://host/a; begin with one of these, or install a package that reads ftp://"),
        ("concat://a", "concat://a; begin with one of these, or install a package that reads concat://"),
        ("file:///etc/passwd", "file:///etc/passwd; write the path alone"),
        ("rstp://u:hunter2@host/a", "rstp://host/a; did you mean rtsp://?"),
        ("htp://host/a?token=hunter2", "htp://host/a?token=***; did you mean http://?"),
        (
            f"data://{'x' * 5000}",
            f"data://{'x' * 73}...; begin with one of these, or install a package that reads data://",
        ),
    ],
)
def test_other_schemes_are_refused(text: str, got: str) -> None:
    with pytest.raises(SettingError) as caught:
        SourceAddress.parse(text)
    assert str(caught.value) == f"an address must begin with http://, https://, rtsp://, rtsps://, got {got}"


@pytest.mark.parametrize("text", ["", "  ", "a\0b"])
def test_nothing_is_no_source(text: str) -> None:
    with pytest.raises(SettingError):
        SourceAddress.parse(text)


def test_paths_that_the_system_cannot_read_are_told(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    for text in ("x" * 5000, str(tmp_path / "a" / "c"), "a\ud800.mp4"):
        with pytest.raises(SettingError, match="cannot read the path") as caught:
            SourceAddress.parse(text)
        assert len(str(caught.value)) < 300


def test_a_name_that_is_no_utf8_can_be_stored(tmp_path: Path) -> None:
    name = os.fsdecode(os.fsencode(str(tmp_path)) + b"/\xff.mp4")
    Path(name).touch()
    address = SourceAddress.parse(name)
    assert address.text == name
    assert address.name.encode().endswith(rb"/\udcff.mp4")


def test_credentials_are_in_no_name_and_no_repr() -> None:
    address = SourceAddress.parse("rtsp://admin:hunter2@camera.example:8554/main?token=swordfish")
    for shown in (address.name, repr(address), str(address)):
        assert "hunter2" not in shown
        assert "admin" not in shown
        assert "swordfish" not in shown
    assert "camera.example" in address.name
    assert "hunter2" in address.text
