"""Files that are damaged: cut off, flipped, lying about themselves."""

import zlib
from dataclasses import replace
from functools import cache, partial

import numpy as np

from keepsight.errors import NoVideoStreamError, TruncatedVideoError
from tests.hostile.mp4_boxes import box, compressed_header, nested, patched, samples_of_one_byte, table_claims
from tests.hostile.outcomes import MOST_FRAMES, Expected, Sample, anything, cut_off, frames, refused
from tests.hostile.small_media import H264, H264_FIRST, MJPEG_AVI, MPEG4, encoded, write, write_late

MOST_COUNT = 2**31 - 1
WHOLE = frames(12, 12, (64, 48))
ENDLESS = frames(MOST_FRAMES)
NOT_READ = refused("as a video")
NO_STREAM = refused("no video stream", NoVideoStreamError)
IN_MKV, IN_TS = replace(H264, format="matroska"), replace(H264, format="mpegts")
FRAGMENTS = replace(H264, container_options={"movflags": "frag_keyframe+empty_moov"})


@cache
def _whole(coding_name: str) -> bytes:
    codings = {"mp4": H264, "first": H264_FIRST, "mkv": IN_MKV, "ts": IN_TS, "avi": MJPEG_AVI, "fragments": FRAGMENTS}
    return encoded(codings[coding_name], range(100))


def _cut(coding_name: str, part: float) -> bytes:
    whole = _whole(coding_name)
    return whole[: int(len(whole) * part)]


def _flipped(coding_name: str, seed: int, count: int) -> bytes:
    rng = np.random.default_rng(seed)
    broken = np.frombuffer(_whole(coding_name), np.uint8).copy()
    places = rng.integers(0, len(broken), count)
    broken[places] ^= rng.integers(1, 256, count).astype(np.uint8)
    return broken.tobytes()


def _cut_samples() -> list[Sample]:
    no_index = refused("before its index", TruncatedVideoError)
    cuts = [
        ("mp4", "index at the end", 0.02, no_index),
        ("mp4", "index at the end", 0.5, no_index),
        ("mp4", "index at the end", 0.99, no_index),
        ("first", "index at the start", 0.05, no_index),
        ("first", "index at the start", 0.4, cut_off(1, 20)),
        ("first", "index at the start", 0.7, cut_off(10, 35)),
        ("first", "index at the start", 0.995, cut_off(35, 40)),
        ("mkv", "Matroska", 0.3, cut_off(5, 20)),
        ("mkv", "Matroska", 0.9, cut_off(25, 40)),
        ("avi", "Motion JPEG in AVI", 0.5, cut_off(10, 30)),
        ("ts", "MPEG-TS, which knows no length", 0.5, frames(15, 25)),
        ("fragments", "fragmented MP4", 0.6, cut_off(10, 35)),
    ]
    ending = {"first": "mp4", "fragments": "mp4"}
    return [
        Sample(
            f"cut-{name}-{part}.{ending.get(name, name)}",
            f"cut off after {100 * part:g} % ({what})",
            write_late(partial(_cut, name, part)),
            expected,
        )
        for name, what, part, expected in cuts
    ]


def _flipped_samples() -> list[Sample]:
    return [
        Sample(
            f"flipped-{name}-{seed}.{ending}",
            f"{count} bytes changed (seed {seed})",
            write_late(partial(_flipped, name, seed, count)),
            expected,
        )
        for name, ending, seed, count, expected in [
            ("mp4", "mp4", 1, 10, anything()),
            ("first", "mp4", 2, 3, anything()),
            ("mkv", "mkv", 3, 20, anything()),
            ("ts", "ts", 4, 50, anything()),
            ("avi", "avi", 5, 100, anything()),
        ]
    ]


def _lying_samples() -> list[Sample]:
    whole = encoded(H264_FIRST)
    mpeg4 = encoded(MPEG4)
    lies: list[tuple[str, str, bytes, Expected]] = [
        ("sizes", "sample sizes: 2^31 - 1 entries", table_claims(whole, b"stsz", MOST_COUNT), NOT_READ),
        ("times", "decoding times: 2^31 - 1 entries", table_claims(whole, b"stts", MOST_COUNT), NOT_READ),
        ("offsets", "chunk offsets: 2^31 - 1 entries", table_claims(whole, b"stco", MOST_COUNT), WHOLE),
        ("chunks", "samples of chunks: 2^32 - 1 entries", table_claims(whole, b"stsc", 2**32 - 1), NOT_READ),
        ("shifts", "composition offsets: 2^31 - 1 entries", table_claims(whole, b"ctts", MOST_COUNT), NOT_READ),
        ("keys", "key frames: 2^32 - 1 entries", table_claims(whole, b"stss", 2**32 - 1), NOT_READ),
        (
            "bytes",
            "2^31 - 1 samples of one byte, for which no table is needed",
            samples_of_one_byte(mpeg4, MOST_COUNT),
            refused("has no frame that can be decoded"),
        ),
        (
            "many",
            "5 million samples of one byte",
            samples_of_one_byte(mpeg4, 5_000_000),
            refused("has no frame that can be decoded"),
        ),
        (
            "huge-box",
            "a box of 2^63 bytes",
            box(b"ftyp", b"isom\0\0\2\0isom") + b"\0\0\0\1moov" + b"\x7f" + b"\xff" * 7 + bytes(500),
            NO_STREAM,
        ),
        (
            "stretched",
            "each picture stays for 2^31 time units",
            patched(whole, b"stts", 12, b"\x7f\xff\xff\xff"),
            ENDLESS,
        ),
        ("still", "each picture stays for 0 time units", patched(whole, b"stts", 12, bytes(4)), frames(1, 12)),
        ("no-clock", "a time scale of 0", patched(whole, b"mdhd", 12, bytes(4)), ENDLESS),
        ("fast-clock", "a time scale of 2^32 - 1", patched(whole, b"mdhd", 12, b"\xff" * 4), ENDLESS),
        ("matrix", "a display matrix of zeros", patched(whole, b"tkhd", 40, bytes(36)), WHOLE),
        (
            "wide-header",
            "a header that says 65,535 x 65,535",
            patched(
                whole,
                b"avc1",
                24,
                b"\xff" * 4,
            ),
            WHOLE,
        ),
        ("outside", "samples in another file", patched(whole, b"url ", 0, bytes(4)), WHOLE),
        ("deep", "boxes 20,000 deep", nested(b"moov", 20_000), NOT_READ),
        ("deep-udta", "boxes 20,000 deep, of a kind that may lie in itself", nested(b"udta", 20_000), NOT_READ),
        ("bomb", "a compressed index that claims 4 GB", compressed_header(50_000_000, 2**32 - 1), NOT_READ),
        ("bomb-honest", "a compressed index of 50 million zeros", compressed_header(50_000_000, 50_000_000), NO_STREAM),
    ]
    return [Sample(f"lying-{name}.mp4", what, write(data), expected) for name, what, data, expected in lies]


def _avi_samples() -> list[Sample]:
    whole = encoded(MJPEG_AVI)
    rate = whole.index(b"strh") + 28
    lies = [
        ("no-rate", "an AVI of 0 pictures in 0 seconds", whole[:rate] + bytes(8) + whole[rate + 8 :]),
        (
            "huge-rate",
            "an AVI of 2^32 - 1 pictures a second",
            whole[:rate] + b"\1\0\0\0" + b"\xff" * 4 + whole[rate + 8 :],
        ),
        (
            "slow-rate",
            "an AVI whose pictures stay for 2^32 - 1 seconds",
            whole[:rate] + b"\xff" * 4 + b"\1\0\0\0" + whole[rate + 8 :],
        ),
        ("negative", "an AVI of -5 pictures' height", patched(whole, b"strf", 12, (2**32 - 5).to_bytes(4, "little"))),
    ]
    return [Sample(f"lying-{name}.avi", what, write(data), frames(1, 12, (64, 48))) for name, what, data in lies]


def _picture_samples() -> list[Sample]:
    gif = b"GIF89a\xff\xff\xff\xff\xf0\0\0" + bytes(6) + b",\0\0\0\0\xff\xff\xff\xff\0\2\2L\1\0;"
    return [
        Sample(
            "huge.gif",
            "a GIF of 65,535 x 65,535 pixels in 41 bytes",
            write(gif),
            refused("has no frame that can be decoded"),
        )
    ]


def _bomb_samples() -> list[Sample]:
    return [
        Sample(
            "huge.apng",
            "an APNG of 30,000 x 30,000 pixels in 110 kB",
            write_late(_huge_png),
            NOT_READ,
        ),
        Sample("deep.mkv", "Matroska tags in tags, 20,000 deep", write(_deep_tags(20_000)), NOT_READ),
    ]


def _huge_png() -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return len(content).to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")

    side = (30_000).to_bytes(4, "big")
    head = chunk(b"IHDR", side + side + b"\1\0\0\0\0")  # one bit a pixel
    animation = chunk(b"acTL", b"\0\0\0\2\0\0\0\0")
    control = chunk(b"fcTL", bytes(4) + side + side + bytes(8) + b"\0\1\0\x0a\0\0")
    data = chunk(b"IDAT", zlib.compress(bytes(30_000 * 3_751), 9))
    return b"\x89PNG\r\n\x1a\n" + head + animation + control + data + chunk(b"IEND", b"")


def _deep_tags(depth: int) -> bytes:
    """Each element claims all that is left (RFC 8794, section 4: an eight-byte size begins with 1)."""
    head = b"\x1a\x45\xdf\xa3\x8b\x42\x82\x88matroska"
    element = len(b"\x67\xc8") + 8
    tags = b"\x73\x73\x01" + (element * depth).to_bytes(7, "big")
    tags += b"".join(b"\x67\xc8\x01" + (element * (depth - level - 1)).to_bytes(7, "big") for level in range(depth))
    return head + b"\x18\x53\x80\x67\x01" + b"\xff" * 7 + b"\x12\x54\xc3\x67\x01" + len(tags).to_bytes(7, "big") + tags


def samples() -> list[Sample]:
    """All damaged files."""
    return [
        *_cut_samples(),
        *_flipped_samples(),
        *_lying_samples(),
        *_avi_samples(),
        *_picture_samples(),
        *_bomb_samples(),
    ]
