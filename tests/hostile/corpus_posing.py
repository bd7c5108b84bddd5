"""Files that pose as video, places that are no files, and names that mean something to FFmpeg."""

import gzip
import os
import tarfile
import zipfile
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np

from keepsight.errors import NoVideoStreamError, SourceNotFoundError
from tests.hostile.outcomes import Sample, anything, frames, refused
from tests.hostile.small_media import H264, Coding, encoded, write, write_late

WHOLE = frames(12, 12, (64, 48))
NOT_READ = refused("as a video")
NOT_REGULAR = refused("not a regular file")


def _zip_bomb() -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr(zipfile.ZipInfo("video.mp4"), bytes(50_000_000))
    return file.getvalue()


def _tar_of(data: bytes) -> bytes:
    file = BytesIO()
    with tarfile.open(fileobj=file, mode="w") as packed:
        entry = tarfile.TarInfo("video.mp4")
        entry.size = len(data)
        packed.addfile(entry, BytesIO(data))
    return file.getvalue()


_SCRIPTS = {
    "playlist.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\nneighbour.ts\n#EXT-X-ENDLIST\n",
    "playlist.mp4": "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
    "playlist.ts": "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\nhttp://169.254.169.254/\n#EXT-X-ENDLIST\n",
    "list.ffconcat": "ffconcat version 1.0\nfile neighbour.ts\n",
    "list.mp4": "ffconcat version 1.0\nfile neighbour.ts\n",
    "session.sdp": "v=0\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
    "session.mp4": "v=0\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
    "manifest.mp4": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>a.ts</BaseURL></MPD>',
    "drawing.mp4": '<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
    "metadata.mp4": ";FFMETADATA1\ntitle=none\n",
    "reference.mov": "rtsptextrtsp://127.0.0.1/stream\r\n",
    "subtitles.mp4": "1\n00:00:00,000 --> 00:00:05,000\nnobody\n",
    "page.mp4": "<!doctype html><script>alert(1)</script>",
}


def _script_samples() -> list[Sample]:
    return [
        Sample(name, f"a script or list: {text.splitlines()[0][:40]}", write(text.encode()), NOT_READ)
        for name, text in _SCRIPTS.items()
    ]


def _data_samples() -> list[Sample]:
    rng = np.random.default_rng(11)
    noise = rng.integers(0, 256, 100_000, np.uint8).tobytes()
    made = [
        ("empty.mp4", "no byte", b"", refused("is empty")),
        ("one-byte.mp4", "one byte", b"\0", NOT_READ),
        ("noise.mp4", "random bytes", noise, NOT_READ),
        ("noise.ts", "random bytes", noise, NOT_READ),
        ("noise.h264", "random bytes", noise, NOT_READ),
        ("noise.mp3", "random bytes", noise, refused("no video stream", NoVideoStreamError)),
        ("zeros.avi", "zeros", bytes(100_000), NOT_READ),
        ("text.mkv", "text", b"Dear diary,\nnothing moved.\n" * 500, NOT_READ),
        ("sync.ts", "sync bytes of MPEG-TS and random packets", _ts_noise(noise), NOT_READ),
        ("starts.h264", "start codes and random units", _start_codes(noise), anything()),
        ("packed.mp4", "gzip", gzip.compress(bytes(20_000_000), mtime=0), NOT_READ),
        ("archive.mp4", "a zip of 50 million zeros", _zip_bomb(), NOT_READ),
        ("archive.tar", "a tar with a video in it", _tar_of(encoded(H264)), NOT_READ),
        ("program.mp4", "an ELF header", b"\x7fELF\2\1\1" + bytes(5000), NOT_READ),
    ]
    return [Sample(name, what, write(data), expected) for name, what, data, expected in made]


def _ts_noise(noise: bytes) -> bytes:
    return b"".join(b"\x47" + noise[187 * number : 187 * (number + 1)] for number in range(500))


def _start_codes(noise: bytes) -> bytes:
    units = bytes((0x67, 0x68, 0x65, 0x41, 0x06))
    return b"".join(b"\0\0\0\1" + units[n % 5 : n % 5 + 1] + noise[100 * n : 100 * n + 95] for n in range(900))


def _codec_samples() -> list[Sample]:
    refusals = [
        ("magic.avi", "magicyuv", "gbrp", "avi"),
        ("ut.avi", "utvideo", "yuv420p", "avi"),
        ("jpeg2000.mkv", "jpeg2000", "yuv420p", "matroska"),
        ("snow.avi", "snow", "yuv420p", "avi"),
        ("flash-screen.flv", "flashsv", "bgr24", "flv"),
        ("real.rm", "rv10", "yuv420p", "rm"),
    ]
    return [
        Sample(
            name,
            f"a codec that is not read: {codec}",
            write_late(partial(encoded, Coding(codec, pix, format=form), range(5))),
            refused("as a video" if form == "rm" else f"uses the codec {codec}"),
        )
        for name, codec, pix, form in refusals
    ]


def _name_samples() -> list[Sample]:
    video = write_late(lambda: encoded(H264))
    names = [
        ("concat:a|b.mp4", "a name that is a protocol of FFmpeg"),
        ("subfile,,start,0,end,0,,:video.mp4", "a name that is a protocol of FFmpeg"),
        ("a%03d.mp4", "a name that is a pattern of pictures"),
        ("-i.mp4", "a name that is an option"),
        ("data:text,x.mp4", "a name that is a protocol of FFmpeg"),
        ("line\nbreak\x1b[31m\x07.mp4", "a name with a line break and a terminal's codes"),
        ("über 😀 №1.mp4", "a name that is not ASCII"),
        ("x" * 251 + ".mp4", "a name of 255 bytes"),
    ]
    return [
        *[Sample(name, what, video, WHOLE) for name, what in names],
        Sample(
            "text\r\n\x1b]0;title\x07\u202e.mp4",
            "text in a file with control characters in its name",
            write(b"text"),
            NOT_READ,
        ),
        Sample(os.fsdecode(b"not-utf8-\xff.mp4"), "a name that is not UTF-8", video, WHOLE),
    ]


def _place_samples() -> list[Sample]:
    def link(path: Path) -> None:
        (path.parent / "linked").mkdir(exist_ok=True)
        (path.parent / "linked" / "video.mp4").write_bytes(encoded(H264))
        path.symlink_to("linked/video.mp4")

    return [
        Sample("pipe.mp4", "a FIFO", os.mkfifo, NOT_REGULAR),
        Sample("zero.mp4", "a link to a device without end", lambda path: path.symlink_to("/dev/zero"), NOT_REGULAR),
        Sample(
            "memory.mp4", "a link to a file of the kernel", lambda path: path.symlink_to("/proc/self/maps"), NOT_READ
        ),
        Sample("folder.mp4", "a folder without pictures", lambda path: path.mkdir(), refused("got a folder")),
        Sample("link.mp4", "a link to a video", link, WHOLE),
        Sample(
            "broken.mp4",
            "a link to nothing",
            lambda path: path.symlink_to("nowhere"),
            refused("no such file", SourceNotFoundError),
        ),
        Sample(
            "loop.mp4",
            "a link to itself",
            lambda path: path.symlink_to("loop.mp4"),
            refused("no such file", SourceNotFoundError),
        ),
    ]


def samples() -> list[Sample]:
    """All files that pose as something else."""
    return [*_data_samples(), *_script_samples(), *_codec_samples(), *_name_samples(), *_place_samples()]
