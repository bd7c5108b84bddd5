"""Users and passwords given apart from addresses: where they go, and that they are nowhere else."""

import base64
import http.server
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from keepsight.errors import SettingError
from keepsight.sources.address import SourceAddress
from keepsight.sources.credentials import PASSWORD_VARIABLE, USER_VARIABLE, SourceCredentials, read_credentials
from keepsight.sources.isolated import IsolatedReader
from keepsight.sources.network.urls import Credentials, parse_url
from tests.small_videos import MakeVideo

PASSWORD = "Z9:/w?#@ Q7"


@pytest.fixture
def hosts(tmp_path: Path) -> Path:
    file = tmp_path / "cameras.netrc"
    file.write_text(
        f'machine door.test login admin password "{PASSWORD}"\n'
        "machine yard.test:8554 login yard password 8554\n"
        "machine YARD.test login yard password others\n"
    )
    return file


def credentials_of(known: SourceCredentials, source: str) -> Credentials | None:
    return parse_url(known.attached(source)).credentials


def test_each_host_gets_its_own(hosts: Path) -> None:
    known = read_credentials(hosts, environment={})
    assert credentials_of(known, "rtsp://door.test/main") == Credentials("admin", PASSWORD)
    assert credentials_of(known, " http://DOOR.test:8080/a.mp4") == Credentials("admin", PASSWORD)
    assert credentials_of(known, "rtsp://yard.test:8554/main") == Credentials("yard", "8554")
    assert credentials_of(known, "rtsp://yard.test/main") == Credentials("yard", "others")
    assert credentials_of(known, "rtsp://other.test/main") is None
    assert credentials_of(known, "rtsp://me:mine@door.test/main") == Credentials("me", "mine")
    for source in ("kitchen.mp4", "-", "/dev/video0", "unix:/run/x", "push:door", "upload:1", "rtsp://bad:port/"):
        assert known.attached(source) == source


def test_a_name_is_the_same_with_and_without(hosts: Path) -> None:
    attached = SourceAddress.parse(read_credentials(hosts, environment={}).attached("rtsp://door.test/main"))
    assert attached.name == SourceAddress.parse("rtsp://door.test/main").name == "rtsp://door.test/main"
    assert "Z9" not in repr(attached)


def test_what_the_environment_and_flags_say_is_for_all_others(hosts: Path, tmp_path: Path) -> None:
    environment = {USER_VARIABLE: "viewer", PASSWORD_VARIABLE: PASSWORD}
    known = read_credentials(hosts, environment=environment)
    assert credentials_of(known, "rtsp://other.test/main") == Credentials("viewer", PASSWORD)
    assert credentials_of(known, "rtsp://yard.test/main") == Credentials("yard", "others")
    file = tmp_path / "password"
    file.write_text("from file\nnot this\n")
    known = read_credentials(None, "root", file, environment)
    assert credentials_of(known, "rtsp://other.test/main") == Credentials("root", "from file")
    assert PASSWORD not in repr(known)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "machine door.test login admin passwort Z9SECRET",
            r"line 1, must be 'machine HOST login USER password PASS",
        ),
        ("Z9SECRET", r"line 1, must be"),
        (b"\xff\xfe", "it is not UTF-8"),
        (b"#" * (1 << 20) + b"##", "must be at most"),
    ],
)
def test_a_file_of_another_format_is_refused_and_not_repeated(tmp_path: Path, text: str | bytes, message: str) -> None:
    file = tmp_path / "x.netrc"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(SettingError, match=message) as caught:
        read_credentials(file, environment={})
    assert "Z9SECRET" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"cannot read .*: No such file"):
        read_credentials(tmp_path / "none", environment={})
    with pytest.raises(
        SettingError, match="a user needs a password: give --password-file or KEEPSIGHT_SOURCE_PASSWORD"
    ):
        read_credentials(None, "admin", environment={})
    (tmp_path / "empty").touch()
    with pytest.raises(SettingError, match="must be a password, got an empty line"):
        read_credentials(None, "admin", tmp_path / "empty", environment={})


@pytest.fixture
def guarded(make_video: MakeVideo) -> Iterator[tuple[int, list[str]]]:
    """A web server with a video for whom knows the password; its port, and what it was sent for authorization."""
    content, seen = make_video(2).read_bytes(), []
    wanted = "Basic " + base64.b64encode(f"admin:{PASSWORD}".encode()).decode()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.headers.get("Authorization", ""))
            is_right = seen[-1] == wanted
            self.send_response(200 if is_right else 401)
            if not is_right:
                self.send_header("WWW-Authenticate", 'Basic realm="x"')
            self.send_header("Content-Length", str(len(content) if is_right else 0))
            self.end_headers()
            if is_right:
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1], seen
        server.shutdown()


def test_the_password_reaches_the_server_and_is_in_no_process_s_words(guarded: tuple[int, list[str]]) -> None:
    port, seen = guarded
    known = SourceCredentials({"127.0.0.1": Credentials("admin", PASSWORD)})
    address = SourceAddress.parse(known.attached(f"http://127.0.0.1:{port}/a.mp4"))
    with closing(IsolatedReader(address, allow_private=True)) as reader:
        words = Path(f"/proc/{reader.process_id}/cmdline").read_bytes()
        assert reader.info.width == 64
    assert seen
    assert b"Z9" not in words
    assert b"Q7" not in words
