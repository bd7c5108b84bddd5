"""Behind a proxy: uploads and frames are passed on as they come, ranges of videos too, and limits are the server's."""

import json
import random
import struct
from collections.abc import Iterator
from contextlib import closing
from io import BytesIO

import numpy as np

from keepsight.server.http.access.bodies import CHUNK_BYTES
from keepsight.sources.messages import write_frame
from keepsight.video import Frame
from tests.patience import wait_for
from tests.server.proxy.tls_client import TlsClient
from tests.small_videos import MakeVideo


def padded(video: bytes, num_bytes: int) -> bytes:
    """An MP4 that is longer by a box which means nothing (ISO/IEC 14496-12, section 8.1.2)."""
    return video + struct.pack(">I4s", num_bytes, b"free") + random.Random(5).randbytes(num_bytes - 8)


def begin_upload(client: TlsClient, num_bytes: int) -> str:
    return str(client("POST", "/v1/uploads", {"filename": "kitchen.mp4", "num_bytes": num_bytes}).data["id"])


def test_large_uploads_and_ranges_of_them(proxied: TlsClient, make_video: MakeVideo) -> None:
    content = padded(make_video(4).read_bytes(), 20 << 20)
    upload_id = begin_upload(proxied, len(content))
    for offset in range(0, len(content), CHUNK_BYTES):
        chunk = content[offset : offset + CHUNK_BYTES]
        sent = proxied("PATCH", f"/v1/uploads/{upload_id}", chunk, {"Upload-Offset": str(offset)})
        assert (sent.status, sent.data["offset"]) == (200, offset + len(chunk))
    stream_id = proxied("POST", "/v1/streams", {"upload_id": upload_id}).data["id"]
    assert proxied.wait_for_state(stream_id, "complete")["num_clips"] == 2
    path = f"/v1/streams/{stream_id}/video"
    assert proxied("GET", path).content == content
    for first, last in ((0, 0), (1000, 5 << 20), (len(content) - 9, len(content) - 1)):
        part = proxied("GET", path, headers={"Range": f"bytes={first}-{last}"})
        assert (part.status, part.content) == (206, content[first : last + 1])
        assert part.headers["content-range"] == f"bytes {first}-{last}/{len(content)}"
    assert proxied("GET", path, headers={"Range": f"bytes={len(content)}-"}).status == 416


def test_limits_are_those_of_the_server(proxied: TlsClient) -> None:
    upload_id = begin_upload(proxied, CHUNK_BYTES + 1)
    for method, path, size in (("POST", "/v1/streams", 70_000), ("PATCH", f"/v1/uploads/{upload_id}", CHUNK_BYTES + 1)):
        reply = proxied(method, path, b"x" * size, {"Upload-Offset": "0"})
        assert (reply.status, "must be at most" in reply.message) == (413, True)


def test_an_upload_is_passed_on_while_it_comes(proxied: TlsClient) -> None:
    upload_id = begin_upload(proxied, CHUNK_BYTES)
    with closing(proxied.connect()) as connection:
        connection.putrequest("PATCH", f"/v1/uploads/{upload_id}", skip_host=True)
        for name, value in (
            ("Host", proxied.netloc),
            ("Authorization", f"Bearer {proxied.token}"),
            ("Upload-Offset", "0"),
            ("Content-Length", str(CHUNK_BYTES)),
        ):
            connection.putheader(name, value)
        connection.endheaders(b"x" * (CHUNK_BYTES // 2))
        wait_for(lambda: proxied("GET", f"/v1/uploads/{upload_id}").data["offset"] > 0)
        connection.send(b"x" * (CHUNK_BYTES // 2))
        assert json.loads(connection.getresponse().read())["offset"] == CHUNK_BYTES


def frames(first: int, end: int) -> bytes:
    """Two frames a second in the wire format."""
    out = BytesIO()
    for number in range(first, end):
        write_frame(out, Frame(np.full((48, 64, 3), number * 7 % 256, np.uint8), number / 2))
    return out.getvalue()


def test_frames_are_described_while_the_request_that_brings_them_goes_on(proxied: TlsClient) -> None:
    stream_id = proxied("POST", "/v1/streams", {"source": "push:door"}).data["id"]

    def body() -> Iterator[bytes]:
        yield frames(0, 9)
        proxied.wait_for(stream_id, lambda view: view["num_clips"] >= 1)
        yield frames(9, 13) + b'{"type": "end"}\n'

    with closing(proxied.connect()) as connection:
        headers = {"Host": proxied.netloc, "Authorization": f"Bearer {proxied.token}"}
        path = f"/v1/streams/{stream_id}/frames"
        connection.request("POST", path, body(), headers, encode_chunked=True)
        assert json.loads(connection.getresponse().read()) == {"num_frames": 13}
    proxied.wait_for_state(stream_id, "complete")
