"""Cameras at this machine, by Video4Linux (Linux only).

This has not been run against a real camera yet: what is tested is that a missing or wrong device is refused, that the
options reach FFmpeg, and that pictures of a device that FFmpeg makes up are read. FFmpeg gives no time limit to a
camera that falls silent; whoever reads it has to have one.
"""

import errno
import stat
from collections.abc import Callable
from pathlib import Path

import av
from av.container import InputContainer
from av.error import FFmpegError

from keepsight.errors import NotAVideoError, SettingError, SourceNotFoundError, SourceUnreachableError, VideoError
from keepsight.sources.readers.live_media import LIVE_DECODERS, LiveMedia

_FORMAT = "video4linux2"
_MOST_PIXELS_A_SIDE = 16_384


def open_camera(
    address: str,
    *,
    width: int | None = None,
    height: int | None = None,
    fps: float | None = None,
    open_container: Callable[..., InputContainer] = av.open,
) -> LiveMedia:
    """Open a camera; the caller closes it.

    Args:
        address: `/dev/video0` or `v4l2:/dev/video0`.
        width: pixels across that the camera is asked for, with `height`; it may give others. None takes its own.
        height: pixels down.
        fps: pictures a second that it is asked for. None takes its own.
        open_container: opens a device; tests have another one.

    Raises:
        SettingError: only one of width and height is given, or a number is outside its range.
        SourceNotFoundError: there is no such device.
        NotAVideoError: it is no device, or one that gives no pictures.
        SourceUnreachableError: another program has it, or it may not be read.
    """
    device = Path(address.removeprefix("v4l2:"))
    options = camera_options(width, height, fps)
    _check_is_device(device)
    container: InputContainer | None = None
    try:
        container = open_container(
            str(device), mode="r", format=_FORMAT, container_options=options, metadata_errors="replace"
        )
        return LiveMedia(container, str(device))
    except FFmpegError as error:
        raise _failure_of(error, device) from error
    except VideoError:
        if container is not None:
            container.close()
        raise


def camera_options(width: int | None, height: int | None, fps: float | None) -> dict[str, str]:
    """FFmpeg's options for a camera.

    Raises:
        SettingError: only one of width and height is given, or a number is outside its range.
    """
    options = {
        "format_whitelist": "video4linux2,v4l2",
        "codec_whitelist": ",".join(LIVE_DECODERS.split()),
    }
    if (width is None) != (height is None):
        raise SettingError("a camera's width and height are given together, or neither")
    if width is not None and height is not None:
        if not (0 < width <= _MOST_PIXELS_A_SIDE and 0 < height <= _MOST_PIXELS_A_SIDE):
            raise SettingError(f"a camera's width and height are 1 to {_MOST_PIXELS_A_SIDE}, not {width} and {height}")
        options["video_size"] = f"{width}x{height}"
    if fps is not None:
        if not 0 < fps <= 1000:
            raise SettingError(f"a camera's fps is above 0 and at most 1000, not {fps}")
        options["framerate"] = f"{fps:g}"
    return options


def _check_is_device(device: Path) -> None:
    try:
        mode = device.stat().st_mode
    except OSError as error:
        raise SourceNotFoundError(f"no such camera: {device}") from error
    if not stat.S_ISCHR(mode):
        raise NotAVideoError(f"{device} is no camera; a camera is a device such as /dev/video0")


def _failure_of(error: FFmpegError, device: Path) -> VideoError:
    """A camera that is busy, forbidden or unplugged may be there later; what never was one will not."""
    if error.errno in (errno.EACCES, errno.EPERM):
        return SourceUnreachableError(f"{device} may not be read; its group, often `video`, may read it")
    if error.errno == errno.EBUSY:
        return SourceUnreachableError(f"{device} is in use by another program")
    if error.errno in (errno.ENODEV, errno.ENXIO, errno.EIO):
        return SourceUnreachableError(f"{device} does not answer: {error.strerror}")
    return NotAVideoError(f"{device} is no camera that gives pictures: {error.strerror}")
