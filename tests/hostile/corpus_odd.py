"""Files that are whole and odd: they must be read."""

from dataclasses import replace
from fractions import Fraction

import av

from keepsight.errors import NoVideoStreamError
from tests.hostile.outcomes import Sample, frames, refused
from tests.hostile.small_media import (
    H264,
    HEVC,
    MJPEG_AVI,
    MPEG4,
    Coding,
    audio_only,
    encoded,
    picture,
    stills,
    two_streams,
    write_late,
)

SIZE = (64, 48)
WHOLE = frames(12, 12, SIZE)
"""30 pictures at 25 a second, sampled ten times a second."""


def _jpeg() -> bytes:
    frame = av.VideoFrame.from_ndarray(picture(0, SIZE), format="rgb24").reformat(format="yuvj420p")
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = *SIZE, "yuvj420p", Fraction(1, 25)
    return bytes(encoder.encode(frame)[0])


def _shift(packet: "av.Packet[av.VideoStream]", ticks: int) -> None:
    assert packet.pts is not None
    assert packet.dts is not None
    packet.pts, packet.dts = packet.pts + ticks, packet.dts + ticks


def _wrapped() -> bytes:
    """A transport stream whose 33-bit clock runs over after half of its pictures."""
    coding = replace(H264, format="mpegts", fps=Fraction(90_000), container_options={"mpegts_copyts": "1"})
    start = 2**33 - 15 * 3600
    return encoded(coding, [start + 3600 * number for number in range(30)])


def _jumping() -> bytes:
    """Two transport streams after each other, the second an hour later."""
    coding = replace(H264, format="mpegts", fps=Fraction(90_000), container_options={"mpegts_copyts": "1"})
    parts = [encoded(coding, [start + 3600 * number for number in range(15)]) for start in (90_000, 90_000 * 3600)]
    return b"".join(parts)


def _going_back() -> bytes:
    coding = replace(H264, format="mpegts", fps=Fraction(90_000), container_options={"mpegts_copyts": "1"})
    parts = [encoded(coding, [start + 3600 * number for number in range(15)]) for start in (90_000 * 3600, 90_000)]
    return b"".join(parts)


def _two_sizes(coding: Coding) -> bytes:
    """Elementary streams after each other, of two sizes."""
    return encoded(coding, range(15)) + encoded(replace(coding, size=(96, 32)), range(15))


def _two_sizes_on_a_clock() -> bytes:
    coding = replace(H264, format="mpegts", fps=Fraction(90_000), container_options={"mpegts_copyts": "1"})
    first = encoded(coding, [90_000 + 3600 * number for number in range(15)])
    return first + encoded(replace(coding, size=(96, 32)), [90_000 + 3600 * number for number in range(15, 30)])


def samples() -> list[Sample]:
    """All odd files."""
    svt = {"preset": "12"}
    es = replace(H264, format="h264")
    made = [
        ("1x1.avi", "one pixel", lambda: encoded(replace(MJPEG_AVI, size=(1, 1))), frames(12, 12, (1, 1))),
        (
            "1x1.mp4",
            "one pixel in H.264",
            lambda: encoded(replace(H264, codec="libx264rgb", pix_fmt="rgb24", size=(1, 1))),
            frames(12, 12, (1, 1)),
        ),
        (
            "odd-size.mkv",
            "37 x 23 pixels",
            lambda: encoded(Coding("ffv1", "yuv420p", (37, 23), format="matroska")),
            frames(12, 12, (37, 23)),
        ),
        (
            "8k.avi",
            "7,680 x 4,320 pixels",
            lambda: encoded(replace(MJPEG_AVI, size=(7680, 4320)), range(1)),
            frames(1, 1, (7680, 4320)),
        ),
        (
            "wide.mkv",
            "16,000 x 2 pixels",
            lambda: encoded(Coding("ffv1", "yuv420p", (16000, 2), format="matroska"), range(2)),
            frames(1, 1, (16000, 2)),
        ),
        (
            "tall.avi",
            "2 x 16,000 pixels",
            lambda: encoded(replace(MJPEG_AVI, size=(2, 16000)), range(2)),
            frames(1, 1, (2, 16000)),
        ),
        (
            "slow.mp4",
            "one picture in 100 s",
            lambda: encoded(replace(MPEG4, fps=Fraction(1, 100)), range(2)),
            frames(2000),
        ),
        (
            "fast.mkv",
            "1,000 pictures a second",
            lambda: encoded(replace(H264, format="matroska", fps=Fraction(1000)), range(120)),
            frames(2, 2, SIZE),
        ),
        (
            "odd-rate.mp4",
            "30,000 / 1,001 pictures a second",
            lambda: encoded(replace(H264, fps=Fraction(30000, 1001))),
            frames(11, 11, SIZE),
        ),
        *[
            (
                f"rotated-{turn}.mp4",
                f"display matrix of {turn} degrees",
                lambda turn=turn: encoded(replace(H264, rotation=turn)),
                frames(12, 12, (48, 64) if turn % 180 else SIZE),
            )
            for turn in (90, 180, 270)
        ],
        (
            "variable.mkv",
            "a variable frame rate",
            lambda: encoded(replace(H264, format="matroska"), [0, 1, 2, 20, 21, 60, 61, 100]),
            frames(41, 42, SIZE),
        ),
        (
            "interlaced.ts",
            "interlaced MPEG-2",
            lambda: encoded(Coding("mpeg2video", format="mpegts", interlaced=True)),
            WHOLE,
        ),
        (
            "10-bit.mkv",
            "10 bits a sample",
            lambda: encoded(replace(H264, pix_fmt="yuv420p10le", format="matroska")),
            WHOLE,
        ),
        ("4-4-4.mp4", "full chroma", lambda: encoded(replace(H264, pix_fmt="yuv444p")), WHOLE),
        (
            "grey.mkv",
            "one grey plane of 16 bits",
            lambda: encoded(Coding("ffv1", "gray16le", format="matroska")),
            WHOLE,
        ),
        (
            "alpha.mov",
            "ProRes with transparency",
            lambda: encoded(Coding("prores_ks", "yuva444p10le", format="mov")),
            WHOLE,
        ),
        ("alpha.mkv", "FFV1 with transparency", lambda: encoded(Coding("ffv1", "yuva420p", format="matroska")), WHOLE),
        (
            "animated.gif",
            "GIF, 10 pictures of 100 ms",
            lambda: stills("GIF", 10, SIZE, [100] * 10),
            frames(10, 10, SIZE),
        ),
        (
            "animated.apng",
            "APNG, 10 pictures of 100 ms",
            lambda: stills("PNG", 10, SIZE, [100] * 10),
            frames(10, 10, SIZE),
        ),
        ("no-delay.gif", "GIF with delays of 0", lambda: stills("GIF", 10, SIZE, [0] * 10), frames(10, 10, SIZE)),
        (
            "vp8.webm",
            "VP8",
            lambda: encoded(Coding("libvpx", format="webm", options={"deadline": "realtime", "cpu-used": "8"})),
            WHOLE,
        ),
        (
            "vp9.webm",
            "VP9",
            lambda: encoded(Coding("libvpx-vp9", format="webm", options={"deadline": "realtime", "cpu-used": "8"})),
            WHOLE,
        ),
        ("av1.ivf", "AV1", lambda: encoded(Coding("libsvtav1", format="ivf", options=svt)), WHOLE),
        ("av1.mp4", "AV1 in MP4", lambda: encoded(Coding("libsvtav1", format="mp4", options=svt)), WHOLE),
        ("motion-jpeg.avi", "Motion JPEG", lambda: encoded(MJPEG_AVI), WHOLE),
        ("raw.h264", "H.264 without a container, hence without times", lambda: encoded(es), WHOLE),
        ("raw.hevc", "HEVC without a container", lambda: encoded(HEVC), WHOLE),
        ("program.mpg", "MPEG-1 program stream", lambda: encoded(Coding("mpeg1video", format="mpeg")), WHOLE),
        ("flash.flv", "Flash video", lambda: encoded(Coding("flv", format="flv")), WHOLE),
        ("wrapped.ts", "33-bit timestamps that run over in the middle", _wrapped, WHOLE),
        ("jumping.ts", "timestamps that leap ahead by an hour", _jumping, WHOLE),
        ("going-back.ts", "timestamps that leap back by an hour", _going_back, WHOLE),
        *[
            (
                f"negative.{ending}",
                "timestamps below 0",
                lambda form=form: encoded(
                    replace(
                        H264, format=form, options={"bf": "0"}, container_options={"avoid_negative_ts": "disabled"}
                    ),
                    retime=lambda packet: _shift(packet, -12_000),
                ),
                WHOLE,
            )
            for ending, form in (("mkv", "matroska"), ("flv", "flv"))
        ],
        (
            "late-start.mkv",
            "timestamps that begin after a day",
            lambda: encoded(replace(H264, format="matroska"), retime=lambda packet: _shift(packet, 86_400 * 25)),
            WHOLE,
        ),
        (
            "two-videos.mkv",
            "two streams of pictures: the first counts",
            lambda: two_streams(replace(H264, format="matroska"), Coding("ffv1", size=(32, 32))),
            WHOLE,
        ),
        ("two-videos.mp4", "the same in MP4", lambda: two_streams(H264, replace(H264, size=(32, 32))), WHOLE),
        (
            "two-sizes.h264",
            "another resolution in the middle",
            lambda: _two_sizes(es),
            frames(12, 12, (64, 48, 96, 32)),
        ),
        ("two-sizes.ts", "the same in MPEG-TS", _two_sizes_on_a_clock, frames(12, 12, (64, 48, 96, 32))),
        (
            "fragments.mp4",
            "fragmented MP4",
            lambda: encoded(replace(H264, container_options={"movflags": "frag_keyframe+empty_moov"})),
            WHOLE,
        ),
        ("tail.mp4", "1 MB of zeros after the end", lambda: encoded(H264) + bytes(1_000_000), WHOLE),
        ("one-picture.mp4", "a single picture", lambda: encoded(H264, range(1)), frames(1, 1, SIZE)),
        ("audio.mp4", "sound only", lambda: audio_only("mp4"), refused("no video stream", NoVideoStreamError)),
        ("audio.mp3", "sound only", lambda: audio_only("mp3"), refused("no video stream", NoVideoStreamError)),
        (
            "cover.mp3",
            "sound and a cover image",
            lambda: audio_only("mp3", _jpeg()),
            refused("no video stream", NoVideoStreamError),
        ),
    ]
    return [Sample(name, what, write_late(make), expected) for name, what, make, expected in made]
