"""Texts of other packages are shown without the secrets of their source."""

import pytest

from keepsight.sources.network.masking import masked, secrets_of_address, secrets_of_fields


@pytest.mark.parametrize(
    ("address", "text", "shown"),
    [
        ("cam://me:hunter2@host/1", "no number in me:hunter2@host", "no number in ***@host"),
        ("cam://me:hunter2@host/1", "refused 'hunter2'", "refused '***'"),
        ("cam://me:a%20b@host/1", "refused 'a b'", "refused '***'"),
        ("cam://host/1?token=abc", "no number: 'abc'", "no number: '***'"),
        ("cam://me@host/1", "some name", "some name"),
        ("cam://0123456789@host/1", "refused 0123456789", "refused ***"),
        ("npy:///data/frames@home", "nothing in /data/frames@home", "nothing in /data/frames@home"),
        ("cam://host/1?fps=5", "fps must be below 5, got 5", "fps must be below 5, got 5"),
        ("cam://host/user=admin_password=x1y/", "odd x1y", "odd ***"),
        ("cam://host/1", "gone: rtsp://you:pw@other/?key=k1", "gone: rtsp://other/?key=***"),
        (
            "cam://host/1",
            "invalid literal for int() with base 10: 'abc'",
            "invalid literal for int() with base 10: 'abc'",
        ),
    ],
)
def test_secrets_of_the_address_and_of_the_text_are_masked(address: str, text: str, shown: str) -> None:
    assert masked(text, secrets_of_address(address)) == shown


def test_fields_are_secrets_by_name_and_by_what_is_in_them() -> None:
    fields = {"password": "hunter2", "path": "/data", "fps": 2, "login": "", "url": "cam://me:other@host", "key": None}
    assert masked("hunter2 and other in /data at 2", secrets_of_fields(fields)) == "*** and *** in /data at 2"
