"""Addresses: what is let through, and what is shown of them."""

import pytest

from keepsight.errors import AddressRefusedError
from keepsight.sources.network.urls import Credentials, parse_url, strip_credentials

REFUSED = [
    "file:///etc/passwd",
    "ftp://a.test/x",
    "gopher://a.test/x",
    "concat:http://a.test/x",
    "data:video/mp4;base64,AAAA",
    "crypto+http://a.test/x",
    "unix:/run/x",
    "subfile,,start,0,end,9,,:http://a.test/x",
    "javascript:alert(1)",
    "//a.test/x",
    "/etc/passwd",
    "",
    "http:///x",
    "http://",
    "http:a.test",
    "http://a.test:0/",
    "http://a.test:99999/",
    "http://a.test:1x/",
    "http://a.test\\@b.test/",
    "http://a.test/a b",
    "http://a.test/\r\nX-Evil: 1",
    "ht\ttp://a.test/",
    " http://a.test/",
    "http://a.test/\0",
    "http://[::1/",
    "http://[a.test]/",
    "http://secret:word@ａ／b.test/",
    "http://a.test/" + "x" * 9000,
]


@pytest.mark.parametrize("url", REFUSED)
def test_what_is_no_address_to_open_is_refused(url: str) -> None:
    with pytest.raises(AddressRefusedError) as caught:
        parse_url(url)
    assert "\n" not in str(caught.value)
    assert "word" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_parts_of_an_address() -> None:
    url = parse_url("HTTPS://us%40er:p%3Aw@Host.Test:8443/a%20b/ü?q=1&t=ä#part")
    assert (url.scheme, url.host, url.port) == ("https", "host.test", 8443)
    assert url.target == "/a%20b/%C3%BC?q=1&t=%C3%A4"
    assert url.credentials == Credentials("us@er", "p:w")
    assert parse_url("rtsp://cam.test/1").port == 554
    assert parse_url("http://[::1]:81").netloc == "[::1]:81"
    assert parse_url("http://a.test").target == "/"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://user:secret@a.test/x.mp4", "http://a.test/x.mp4"),
        ("rtsp://admin:se@cret@10.0.0.2:8554/h264", "rtsp://10.0.0.2:8554/h264"),
        ("rtsp://secret@a.test/1", "rtsp://a.test/1"),
        ("http://a.test/x?token=secret&quality=2", "http://a.test/x?token=***&quality=2"),
        (
            "http://a.test/x?X-Amz-Signature=secret&X-Amz-Date=secret",
            "http://a.test/x?X-Amz-Signature=***&X-Amz-Date=***",
        ),
        ("http://a.test/x?user=secret&pwd=secret;sig=secret", "http://a.test/x?user=***&pwd=***;sig=***"),
        ("http://a.test/x?api_key=secret&apiKey=secret&auth=secret", "http://a.test/x?api_key=***&apiKey=***&auth=***"),
        ("http://a.test/x?%74oken=secret", "http://a.test/x?%74oken=***"),
        ("http://a.test/x?k=3secret91abcdef0123456789", "http://a.test/x?k=***"),
        ("http://a.test/x?3secret91abcdef0123456789", "http://a.test/x?***"),
        ("http://a.test/x?from=rtsp://u:secret@b.test", "http://a.test/x?from=***"),
        ("ftp://user:secret@a.test/x?password=secret", "ftp://a.test/x?password=***"),
        ("http://user:secret@a.test:99999/x", "http://a.test:99999/x"),
        ("http://user:sec\\ret secret@a.test/x", "http://a.test/x"),
        ("kitchen.mp4", "kitchen.mp4"),
        ("/home/me@work/a.mp4", "/home/me@work/a.mp4"),
    ],
)
def test_what_is_shown_of_an_address(url: str, shown: str) -> None:
    assert strip_credentials(url) == shown


def test_nothing_shows_credentials() -> None:
    url = parse_url("http://admin:hunter2@a.test/x?token=hunter2")
    for text in (repr(url), str(url), f"{url}", url.display, repr(url.credentials), repr([url])):
        assert "hunter2" not in text
        assert "admin" not in text


@pytest.mark.parametrize(
    ("start", "reference", "goes_along"),
    [
        ("http://u:p@a.test/x/y.m3u8", "z.ts", True),
        ("http://u:p@a.test/x", "/z", True),
        ("http://u:p@a.test/x", "http://a.test:80/z", True),
        ("http://u:p@a.test/x", "https://a.test/z", True),
        ("https://u:p@a.test/x", "http://a.test/z", False),
        ("http://u:p@a.test/x", "http://b.test/z", False),
        ("http://u:p@a.test/x", "//b.test/z", False),
        ("http://u:p@a.test/x", "http://a.test:81/z", False),
        ("http://u:p@a.test/x", "http://sub.a.test/z", False),
        ("http://u:p@a.test/x", "http://v:q@b.test/z", False),
    ],
)
def test_credentials_stay_with_their_host(start: str, reference: str, goes_along: bool) -> None:
    url = parse_url(start).join(reference)
    assert url.credentials == (Credentials("u", "p") if goes_along else None)
    assert url.join(start.replace("u:p@", "")).credentials is None or goes_along


@pytest.mark.parametrize(
    "reference", ["file:///etc/passwd", "data:,x", "concat:a", "http://[", "http://b.test/\\x", "a\tb"]
)
def test_references_are_judged_like_addresses(reference: str) -> None:
    with pytest.raises(AddressRefusedError):
        parse_url("http://a.test/x").join(reference)
