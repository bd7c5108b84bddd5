"""Streams that are read once, from containers made up here; and cameras, as far as that goes without one."""

import errno
import io
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from keepsight.errors import (
    NotAVideoError,
    NoVideoStreamError,
    SettingError,
    SourceNotFoundError,
    SourceStalledError,
    SourceUnreachableError,
    VideoError,
)
from keepsight.sources.readers.camera import camera_options, open_camera
from keepsight.sources.readers.live_media import LiveMedia


def made_up_device(*_: Any, **options: Any) -> Any:
    """20 uncompressed pictures of 64 x 48, 10 a second, as a camera may give them."""
    file = io.BytesIO()
    with av.open(file, "w", format="nut") as container:
        stream = container.add_stream("rawvideo", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _number in range(20):
            container.mux(stream.encode(av.VideoFrame(64, 48, "yuv420p")))
        container.mux(stream.encode(None))
    file.seek(0)
    return av.open(file, format="nut")


def transport_stream(num_pictures: int = 40) -> bytearray:
    """H.264 in packets of 188 bytes, 10 pictures a second, every fifth a key frame."""
    file = io.BytesIO()
    with av.open(file, "w", format="mpegts") as container:
        stream = container.add_stream("libx264", rate=10, options={"g": "5", "bf": "0", "tune": "zerolatency"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 10)
        noise = np.random.default_rng(7)
        for number in range(num_pictures):
            picture = av.VideoFrame.from_ndarray(noise.integers(0, 256, (48, 64, 3), np.uint8), format="rgb24")
            picture.pts, picture.time_base = number, Fraction(1, 10)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return bytearray(file.getvalue())


class Faulty:
    """A container whose reading fails with an error after some packets, or again and again."""

    def __init__(self, error: Exception, *, is_lasting: bool = True) -> None:
        self._container = made_up_device()
        self._error = error
        self._is_lasting = is_lasting
        self.streams, self.format, self.close = self._container.streams, self._container.format, self._container.close

    def demux(self, stream: Any) -> Any:
        for number, packet in enumerate(self._container.demux(stream)):
            yield packet
            if number == 4:
                raise self._error
        if self._is_lasting:
            raise self._error


def frames_until_failure(media: LiveMedia) -> tuple[list[float], VideoError | None]:
    times: list[float] = []
    try:
        times.extend(frame.pts_seconds for frame in media.sampled_frames(10))
    except VideoError as error:
        return times, error
    return times, None


def test_a_stream_is_sampled_on_its_own_clock() -> None:
    media = LiveMedia(made_up_device(), "here")
    assert (media.info.is_live, media.info.width, media.info.height) == (True, 64, 48)
    frames = list(media.sampled_frames(5))
    assert [frame.pts_seconds for frame in frames] == [k / 5 for k in range(10)]
    assert {frame.image.shape for frame in frames} == {(48, 64, 3)}


def test_damage_is_passed_over_and_the_stream_goes_on() -> None:
    data = transport_stream()
    packets = len(data) // 188
    for packet in range(packets * 2 // 5, packets * 3 // 5):
        data[packet * 188 + 8 : packet * 188 + 180] = bytes(172)
    media = LiveMedia(av.open(io.BytesIO(data), "r", format="mpegts"), "here")
    times, failure = frames_until_failure(media)
    assert failure is None
    assert times == pytest.approx([k / 10 for k in range(len(times))])
    assert times[-1] > 3.5


def test_what_a_demuxer_can_not_read_is_passed_over() -> None:
    media = LiveMedia(Faulty(av.error.InvalidDataError(errno.EILSEQ, "odd"), is_lasting=False), "here")  # type: ignore[arg-type]
    times, failure = frames_until_failure(media)
    assert failure is None
    assert times == pytest.approx([k / 10 for k in range(20)])
    assert media.num_damaged_packets == 4  # of 20 packets, an error after every fifth


def test_a_stream_of_nothing_but_damage_ends() -> None:
    lasting = Faulty(av.error.InvalidDataError(errno.EILSEQ, "odd"))
    times, failure = frames_until_failure(LiveMedia(lasting, "here"))  # type: ignore[arg-type]
    assert len(times) == 20
    assert isinstance(failure, SourceUnreachableError)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (av.error.ConnectionResetError(errno.ECONNRESET, "reset", "rtsp://me:secret@here"), SourceUnreachableError),
        (av.error.ExitError(1, "exit", "rtsp://me:secret@here"), SourceStalledError),
        (av.error.TimeoutError(errno.ETIMEDOUT, "late", "rtsp://me:secret@here"), SourceStalledError),
    ],
)
def test_a_lost_connection_is_told_after_the_frames_before(error: Exception, kind: type[VideoError]) -> None:
    times, failure = frames_until_failure(LiveMedia(Faulty(error), "the camera"))  # type: ignore[arg-type]
    assert times == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    assert type(failure) is kind
    assert str(failure).count("the camera") == 1
    assert failure.__context__ is None  # the error of FFmpeg holds the password


def test_a_stream_without_pictures_is_refused() -> None:
    with (
        av.open("sine=duration=1", format="lavfi") as sound,
        pytest.raises(NoVideoStreamError, match="here has no video"),
    ):
        LiveMedia(sound, "here")


def test_a_codec_that_is_not_read_is_refused(tmp_path: Path) -> None:
    with av.open(tmp_path / "a.avi", "w") as container:
        stream = container.add_stream("magicyuv", rate=5)
        stream.width, stream.height, stream.pix_fmt = 16, 16, "gbrp"
        container.mux(stream.encode(av.VideoFrame(16, 16, "gbrp")))
        container.mux(stream.encode(None))
    with av.open(tmp_path / "a.avi") as container, pytest.raises(NotAVideoError, match="uses the codec magicyuv"):
        LiveMedia(container, "here")


def test_a_stream_that_ends_before_its_first_picture() -> None:
    data = transport_stream(6)
    container = av.open(io.BytesIO(data), "r", format="mpegts")
    for _ in container.demux(video=0):
        pass
    with pytest.raises(SourceUnreachableError, match="before its first frame"):
        list(LiveMedia(container, "here").sampled_frames(1))


def test_a_camera_is_asked_for_what_was_set() -> None:
    asked: dict[str, Any] = {}

    def open_device(name: str, **options: Any) -> Any:
        asked.update(options, name=name)
        return made_up_device()

    media = open_camera("v4l2:/dev/null", width=64, height=48, fps=12.5, open_container=open_device)
    assert asked["name"] == "/dev/null"
    assert asked["format"] == "video4linux2"
    assert asked["container_options"]["video_size"] == "64x48"
    assert asked["container_options"]["framerate"] == "12.5"
    assert asked["container_options"]["format_whitelist"] == "video4linux2,v4l2"
    assert "magicyuv" not in asked["container_options"]["codec_whitelist"].split(",")
    assert next(media.sampled_frames(10)).image.shape == (48, 64, 3)
    media.close()


@pytest.mark.parametrize(
    "wish", [(64, None, None), (None, 48, None), (0, 48, None), (64, 99_999, None), (None, None, 0)]
)
def test_wishes_outside_their_range_are_refused(wish: tuple[int | None, int | None, float | None]) -> None:
    with pytest.raises(SettingError, match="a camera's"):
        camera_options(*wish)


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("/dev/video-none", SourceNotFoundError),
        ("v4l2:/dev/video-none", SourceNotFoundError),
        ("/dev/null", NotAVideoError),
        (__file__, NotAVideoError),
    ],
)
def test_what_is_no_camera_is_refused_in_one_line(address: str, kind: type[VideoError]) -> None:
    with pytest.raises(kind) as caught:
        open_camera(address)
    assert address.removeprefix("v4l2:") in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.EBUSY, "in use by another program"),
        (errno.EACCES, "its group, often `video`"),
        (errno.ENODEV, "does not respond"),
    ],
)
def test_a_camera_that_may_be_there_later(number: int, message: str) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise av.error.FFmpegError(number, "reason", "/dev/null")

    with pytest.raises(SourceUnreachableError, match=message):
        open_camera("/dev/null", open_container=fail)
