"""What the relay reads of an RTSP conversation, and what it hands on."""

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepsight.sources.readers.rtsp_messages import (
    MAX_BODY_BYTES,
    MAX_HEAD_BYTES,
    MalformedRtspError,
    RtspConversation,
    checked_reply,
)

DESCRIPTION = b"v=0\r\nm=video 0 RTP/AVP 96\r\n"
ANSWER = (
    b"RTSP/1.0 200 OK\r\nCSeq: 2\r\nServer: WMServer/9.1\r\nLocation: rtsp://elsewhere/\r\n"
    b"WWW-Authenticate: Basic realm=a\r\nWWW-Authenticate: Digest realm=b\r\n"
    b"Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s" % (len(DESCRIPTION), DESCRIPTION)
)


def conversation(*pieces: bytes) -> RtspConversation:
    rest = list(pieces)
    return RtspConversation(lambda _: rest.pop(0) if rest else b"")


def test_an_answer_is_rewritten_without_what_leads_elsewhere() -> None:
    passed_on = checked_reply(conversation(ANSWER).reply())
    assert passed_on == (
        b"RTSP/1.0 200 Status\r\nCSeq: 2\r\nContent-Type: application/sdp\r\n"
        b"WWW-Authenticate: Basic realm=a\r\nWWW-Authenticate: Digest realm=b\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (len(DESCRIPTION), DESCRIPTION)
    )


@given(st.lists(st.integers(0, len(ANSWER)), max_size=8))
def test_it_does_not_matter_how_the_bytes_come(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(ANSWER)]
    pieces = [ANSWER[start:end] for start, end in pairwise(edges) if start < end]
    read = conversation(*pieces, b"more")
    assert read.reply().raw == ANSWER
    assert read.take_rest() in (b"", b"more")


def test_pictures_and_questions_before_the_answer_are_passed_over() -> None:
    picture = b"$\0\0\x05RTSP/"
    question = b"OPTIONS rtsp://a/ RTSP/1.0\r\nCSeq: 9\r\n\r\n"
    provisional = b"RTSP/1.0 100 Continue\r\n\r\n"
    read = conversation(picture + question + provisional + picture + ANSWER + b"$rest")
    assert read.reply().raw == ANSWER
    assert read.take_rest() == b"$rest"


@pytest.mark.parametrize("status", [300, 301, 302, 305, 399])
def test_a_redirect_is_refused(status: int) -> None:
    answer = conversation(b"RTSP/1.0 %d Moved\r\nLocation: rtsp://elsewhere/\r\n\r\n" % status).reply()
    with pytest.raises(MalformedRtspError, match="the server redirects"):
        checked_reply(answer)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"RTSP/1.0 +302 Moved\r\n\r\n",
        b"RTSP/1.0  302 Moved\r\n\r\n",
        b"RTSP/1.0\t302 Moved\r\n\r\n",
        b"RTSP/1.0 200 OK\nRTSP/1.0 302 Moved\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nCSeq: 1\nLocation: rtsp://elsewhere/\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nCSeq: 1\rLocation: rtsp://elsewhere/\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nno colon\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nContent-Length: 5\r\nContent-Length: 9\r\n\r\nabc",
        b"RTSP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY_BYTES + 1),
        b"RTSP/1.0 200 OK\r\n" + b"A: b\r\n" * MAX_HEAD_BYTES,
        b"RTSP/1.0 200 OK\r\n",
        b"$\0\0\x09abc",
        b"",
    ],
)
def test_what_is_no_answer_is_refused(answer: bytes) -> None:
    with pytest.raises(MalformedRtspError):
        checked_reply(conversation(answer).reply())


def pieces_of_rtsp() -> st.SearchStrategy[bytes]:
    words = [
        b"RTSP/1.0 200 OK",
        b"RTSP/1.0 302 Found",
        b"\r\n",
        b"\r\n\r\n",
        b"Location: rtsp://elsewhere/",
        b"$\0\0\3",
    ]
    words += [b"Content-Length: 7", b"CSeq: 1", b"\n", b"\r"]
    return st.lists(st.sampled_from(words) | st.binary(max_size=6), max_size=12).map(b"".join)


@given(pieces_of_rtsp())
def test_nothing_that_comes_makes_another_error_or_lets_a_redirect_through(data: bytes) -> None:
    try:
        passed_on = checked_reply(conversation(data).reply())
    except MalformedRtspError:
        return
    head = passed_on.split(b"\r\n\r\n")[0]
    assert head.startswith(b"RTSP/1.0 2")
    assert names_of(head.split(b"\r\n")[1:]) <= {b"CSeq", b"Content-Length"}


def names_of(lines: Iterable[bytes]) -> set[bytes]:
    return {line.partition(b":")[0] for line in lines}
