"""No part of a password is shown, however its address is mistyped: in names, errors and what is made of them."""

from urllib.parse import quote, unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keepsight.cli.preparing import journal_stem
from keepsight.errors import KeepsightError
from keepsight.sources.address import SourceAddress
from keepsight.sources.network.urls import Credentials, parse_url, strip_credentials, with_credentials

PART = 4
"""A password's substring of so many characters is a leak."""

# Capitals of no word, and digits, so that nothing of the address itself is taken for a part of it.
characters = st.sampled_from("BDGJKQVWXZ0123456789?/#@:&=%\\ ;,!+-_.'\"<>[]{}|~^`$()")
passwords = st.text(characters, min_size=PART, max_size=24)

# What users type: as it should be, with a blank in front, with a slash or the scheme missing, in the path or query.
IN_FRONT_OF_HOST = [
    "rtsp://admin:{}@cam.test/main",
    "rtsp://admin:{}@cam.test:8554/main?real_stream",
    "http://first.last:{}@cam.test/live/index.m3u8",
    " rtsp://admin:{}@cam.test/main",
    "\trtsp://admin:{}@cam.test/main",
    "\ufeffrtsp://admin:{}@cam.test/main",
    "http:/admin:{}@cam.test/main",
    "rtsp:admin:{}@cam.test/main",
    "//admin:{}@cam.test/main",
    "admin:{}@cam.test",
    "admin:{}@cam.test:554/main",
    "rtps://admin:{}@cam.test/main",
    "rtsp://admin:{}@cam.test:port/main",
]
IN_PATH = [
    "rtsp://cam.test:554/user=admin_password={}_channel=1_stream=0.sdp?real_stream",
    "rtsp://cam.test/user=admin&password={}&channel=1",
    "rtsp://cam.test/live?user=admin&password={}",
    "rtsp://cam.test/live?channel=1_password={}",
    "rtsp://cam.test/live?channel=1&pwd={}&stream=2",
    "user=admin_password={}",
    "user=admin_password={}_channel=1",
    "cam.test/user=admin_password={}",
]


def shown_of(text: str) -> list[str]:
    """All that is shown of a source: its name and what is made of it, or the error in its place."""
    shown = [strip_credentials(text)] if "://" in text else []
    try:
        address = SourceAddress.parse(text)
        shown += [address.name, repr(address), journal_stem([address])]
    except KeepsightError as error:
        shown += [str(error), repr(error), str(error.__cause__ or "")]
    try:
        url = parse_url(text)
        shown += [url.display, repr(url), str(url)]
    except KeepsightError as error:
        shown += [
            str(error),
            repr(error),
            str(error.__cause__ or ""),
            str(error.__context__ or "") if error.__cause__ else "",
        ]
    return shown


def assert_hidden(password: str, shown: list[str]) -> None:
    parts = {password[start : start + PART] for start in range(len(password) - PART + 1)}
    for part in parts:
        if any(character.isupper() or character.isdigit() for character in part):
            for text in shown:
                assert part not in text
                assert part not in unquote(text)
                assert part.lower() not in text.lower()


@pytest.mark.parametrize("form", IN_FRONT_OF_HOST)
@settings(max_examples=40)
@given(password=passwords)
def test_a_password_in_front_of_the_host_is_not_shown(form: str, password: str) -> None:
    assert_hidden(password, shown_of(form.format(password)))


@pytest.mark.parametrize("form", IN_PATH)
@settings(max_examples=40)
@given(password=st.text(st.sampled_from("BDGJKQVWXZ0123456789:%+.'~^$()!"), min_size=PART, max_size=24))
def test_a_password_in_the_path_or_query_is_not_shown(form: str, password: str) -> None:
    assert_hidden(password, shown_of(form.format(password)))


@given(passwords)
def test_a_password_that_is_encoded_is_taken_and_not_shown(password: str) -> None:
    text = f"rtsp://admin:{quote(password, safe='')}@cam.test/main"
    assert parse_url(text).credentials == Credentials("admin", password)
    assert SourceAddress.parse(text).name == "rtsp://cam.test/main"
    assert with_credentials("rtsp://cam.test/main", Credentials("admin", password)) == text.replace(
        quote(password, safe=""), quote(password, safe="")
    )
    assert parse_url(
        with_credentials("rtsp://cam.test/main", Credentials("ad:m@in", password))
    ).credentials == Credentials("ad:m@in", password)


def test_channels_of_a_camera_with_its_password_in_the_path_stay_apart() -> None:
    names = [SourceAddress.parse(f"rtsp://cam.test/user=a_password=b_channel={number}").name for number in (1, 2)]
    assert names == [f"rtsp://cam.test/user=***_password=***_channel={number}" for number in (1, 2)]


@pytest.mark.parametrize(
    "text",
    [
        "https://video.test/@user/clip.mp4",
        "https://video.test/@user.name/clip.mp4",
        "http://a.test/image@2x.mp4",
        "http://user:secret@a.test/a.mp4?time=12:30",
        "http://a.test:8080/live/stream.m3u8?quality=2",
        "http://a.test/x?mail=me@b.test",
    ],
)
def test_addresses_with_an_at_elsewhere_are_read(text: str) -> None:
    assert parse_url(text).host in ("video.test", "a.test")


@pytest.mark.parametrize(
    "text", ["rtsp://admin:12/ABCD@cam.test/main", "rtsp://admin:A@B/CD@cam.test", "rtsp://admin:12?ABCD@cam.test"]
)
def test_what_may_be_a_password_with_a_slash_is_refused_with_advice(text: str) -> None:
    with pytest.raises(KeepsightError, match="write @ / \\? # as %40 %2F %3F %23, or give the password separately"):
        parse_url(text)
