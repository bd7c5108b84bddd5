"""Local cameras by Video4Linux (Linux only).

Not yet run with a real camera: tests cover refusal of missing or wrong devices, the options passed to FFmpeg, and
reading from a virtual FFmpeg device. FFmpeg has no timeout for a silent camera; the caller needs one.
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
        width: requested width, with `height`; the camera may choose another. None for its own.
        height: requested height.
        fps: requested frame rate. None for its own.
        open_container: opens a device.

    Raises:
        SettingError: only one of width and height is given, or a number is out of range.
        SourceNotFoundError: no such device.
        NotAVideoError: it is not a device, or captures no video.
        SourceUnreachableError: it is in use, or not readable.
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
        SettingError: only one of width and height is given, or a number is out of range.
    """
    options = {
        "format_whitelist": "video4linux2,v4l2",
        "codec_whitelist": ",".join(LIVE_DECODERS.split()),
    }
    if (width is None) != (height is None):
        raise SettingError("give a camera's width and height together, or neither")
    if width is not None and height is not None:
        if not (0 < width <= _MOST_PIXELS_A_SIDE and 0 < height <= _MOST_PIXELS_A_SIDE):
            raise SettingError(
                f"a camera's width and height must be 1 to {_MOST_PIXELS_A_SIDE}, got {width} and {height}"
            )
        options["video_size"] = f"{width}x{height}"
    if fps is not None:
        if not 0 < fps <= 1000:
            raise SettingError(f"a camera's fps must be above 0 and at most 1000, got {fps}")
        options["framerate"] = f"{fps:g}"
    return options


def _check_is_device(device: Path) -> None:
    try:
        mode = device.stat().st_mode
    except OSError as error:
        raise SourceNotFoundError(f"no such camera: {device}") from error
    if not stat.S_ISCHR(mode):
        raise NotAVideoError(f"{device} is not a camera; give a device such as /dev/video0")


def _failure_of(error: FFmpegError, device: Path) -> VideoError:
    """A busy, forbidden or unplugged camera may come back; what never was a camera will not."""
    if error.errno in (errno.EACCES, errno.EPERM):
        return SourceUnreachableError(f"no permission to read {device}; join its group, often `video`")
    if error.errno == errno.EBUSY:
        return SourceUnreachableError(f"{device} is in use by another program")
    if error.errno in (errno.ENODEV, errno.ENXIO, errno.EIO):
        return SourceUnreachableError(f"{device} does not respond: {error.strerror}")
    return NotAVideoError(f"{device} is not a camera that captures video: {error.strerror}")
