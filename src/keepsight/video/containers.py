"""Opening of media containers, limited to listed formats and codecs; animated WebP is refused by name."""

import errno
from collections.abc import Mapping
from io import RawIOBase
from pathlib import Path
from typing import NoReturn

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from keepsight.errors import NotAVideoError, NoVideoStreamError, SourceNotFoundError, TruncatedVideoError
from keepsight.incoming import one_line
from keepsight.video.stream_choice import OfferedStream, choose_stream
from keepsight.video.structure import missing_bytes

HEAD_BYTES = 21
"""Bytes of a file's head that are inspected."""

_ANIMATED = 0x02


def is_webp(head: bytes) -> bool:
    """Whether a file head is WebP."""
    return head[:4] == b"RIFF" and head[8:12] == b"WEBP"


def is_animated_webp(head: bytes) -> bool:
    """Whether a file head is animated WebP."""
    return is_webp(head) and head[12:16] == b"VP8X" and len(head) >= HEAD_BYTES and bool(head[20] & _ANIMATED)


def why_not_read(head: bytes, name: str) -> str | None:
    """Reason why a file with this head cannot be watched, if it is WebP; else None."""
    if is_animated_webp(head):
        return f"{name} is an animated WebP, which is not supported; convert it to GIF or MP4"
    return f"{name} is a WebP image, not a video; put images into a folder to watch them" if is_webp(head) else None


def head_of(path: Path) -> bytes:
    """Head of a file; empty if unreadable."""
    try:
        with path.open("rb") as file:
            return file.read(HEAD_BYTES)
    except OSError:
        return b""


FORMATS = (
    "mov mp4 m4a 3gp 3g2 mj2 matroska webm avi mpegts mpeg mpegvideo m4v h264 hevc obu av1 ivf flv asf ogg gif apng "
    "mjpeg mxf nut dv wtv yuv4mpegpipe wav mp3 flac aac aiff ac3 eac3 amr caf w64"
)
"""Supported container formats, by FFmpeg's names; audio formats are included for clearer errors."""

CODECS = (
    "h264 hevc av1 vp8 vp9 vvc mpeg1video mpeg2video mpeg4 h263 h263p flv1 msmpeg4v1 msmpeg4v2 msmpeg4v3 "
    "wmv1 wmv2 wmv3 vc1 theora mjpeg prores dnxhd dvvideo ffv1 huffyuv ffvhuff rawvideo gif apng png qtrle svq3 cinepak"
)
"""Supported video codecs, by FFmpeg's canonical names."""

MAX_PIXELS = 8192 * 8192
"""Pixel limit of a decoded picture, against decompression bombs."""

_DECODERS = f"{CODECS} flv msmpeg4 libdav1d libvpx libvpx-vp9"
_AUDIO_DECODERS = (
    "aac aac_latm mp1 mp1float mp2 mp2float mp3 mp3float ac3 eac3 opus vorbis flac alac dca truehd wmav1 wmav2 wmapro "
    "amrnb amrwb pcm_s16le pcm_s16be pcm_s24le pcm_s24be pcm_s32le pcm_s32be pcm_f32le pcm_f32be pcm_f64le pcm_u8 "
    "pcm_s8 pcm_alaw pcm_mulaw adpcm_ima_wav adpcm_ms adpcm_swf nellymoser speex"
)
_NO_CODEC = "unknown"
_OPEN_OPTIONS = {
    "protocol_whitelist": "file",
    "format_whitelist": ",".join(FORMATS.split()),
    "codec_whitelist": ",".join(f"{_DECODERS} {_AUDIO_DECODERS}".split()),
}


def check_is_file(path: Path) -> None:
    """Check that a path can be a video, before FFmpeg opens it.

    Raises:
        SourceNotFoundError: the path does not exist.
        NotAVideoError: it is a folder, a device, a pipe, empty, or not readable.
    """
    name = one_line(path)
    try:
        if not path.exists():
            raise SourceNotFoundError(f"no such file: {name}")
        if path.is_dir():
            raise NotAVideoError(f"{name} must be a video file, got a folder")
        if not path.is_file():
            raise NotAVideoError(f"{name} is not a regular file")
        with path.open("rb") as file:
            if not file.read(1):
                raise NotAVideoError(f"{name} is empty")
    except (OSError, ValueError) as error:  # no permission, a name too long or with a NUL
        raise NotAVideoError(f"{name} can't be read: {error}") from error


def open_container(path: Path) -> InputContainer:
    """Open a media file with `FORMATS` and the file protocol only; the caller closes it.

    Raises:
        SourceNotFoundError: no such file.
        NotAVideoError: FFmpeg cannot read it, or its format is not allowed.
        TruncatedVideoError: it is truncated before its index, so no frame can be decoded.
    """
    check_is_file(path)
    try:
        # The prefix keeps FFmpeg from reading a file name such as "concat:a" as a protocol.
        return av.open(f"file:{path.absolute()}", mode="r", container_options=_OPEN_OPTIONS, metadata_errors="replace")
    except FFmpegError as error:
        if missing_bytes(path):
            raise TruncatedVideoError(
                f"{one_line(path)} is truncated before its index, so no frame can be decoded"
            ) from error
        reason = why_not_read(head_of(path), one_line(path))
        raise NotAVideoError(reason or f"cannot read {one_line(path)} as a video: {_problem(error)}") from error


def open_stream(
    file: RawIOBase, name: str, *, format_name: str | None = None, options: Mapping[str, str] | None = None
) -> InputContainer:
    """Open media from a file-like object, with `FORMATS` and no protocol; the caller closes both.

    Args:
        file: read from its start; seeked if seekable. A read may be short, and is empty at the end.
        name: name in errors.
        format_name: FFmpeg's name of the format, not limited to `FORMATS`; None to probe the bytes.
        options: options of the format.

    Raises:
        NotAVideoError: FFmpeg cannot read it, its format is not allowed, or it refers to other files.
    """

    def refuse(_url: str, _flags: int, _options: object) -> NoReturn:
        raise NotAVideoError(f"{name} refers to other files, which is not supported")

    allowed = {
        # A name that no protocol has; FFmpeg ignores an empty list in some places.
        "protocol_whitelist": "no-protocol",
        "format_whitelist": format_name or _OPEN_OPTIONS["format_whitelist"],
        "codec_whitelist": _OPEN_OPTIONS["codec_whitelist"],
    }
    try:
        return av.open(
            file,
            mode="r",
            format=format_name,
            container_options={**(options or {}), **allowed},
            metadata_errors="replace",
            io_open=refuse,
        )
    except FFmpegError as error:
        head = file.read(HEAD_BYTES) if file.seekable() and file.seek(0) == 0 else b""
        reason = why_not_read(head, name)
        raise NotAVideoError(reason or f"cannot read {name} as a video: {_problem(error)}") from error


def _problem(error: FFmpegError) -> str:
    """FFmpeg's reason, in words for what it calls an invalid argument: a format that is not in `FORMATS`."""
    is_format = error.errno == errno.EINVAL
    return "it is none, or its format is not supported" if is_format else str(error.strerror)


def video_stream(container: InputContainer, path: Path | str, number: int | None = None) -> VideoStream:
    """Video stream to watch, by the ranking of `stream_choice`.

    Args:
        container: an open container.
        path: name in errors.
        number: index among its video streams, from 0; None for the ranking.

    Raises:
        NoVideoStreamError: there is none, as in audio files, or the index is too large.
        NotAVideoError: its codec is not among `CODECS`.
        TruncatedVideoError: the file is truncated before its codec is known.
    """
    place = choose_stream(offered_streams(container)) if number is None else number
    if place is None:
        raise NoVideoStreamError(f"{one_line(path)} has no video stream")
    if not place < len(container.streams.video):
        num_streams = len(container.streams.video)
        raise NoVideoStreamError(
            f"{one_line(path)}: the video stream must be from 0 to {num_streams - 1}, got {place}"
            if num_streams
            else f"{one_line(path)} has no video stream"
        )
    stream = container.streams.video[place]
    name = codec_name(stream)
    if name == _NO_CODEC and isinstance(path, Path) and missing_bytes(path):
        raise TruncatedVideoError(f"{one_line(path)} is truncated before its index, so no frame can be decoded")
    if name not in CODECS.split():
        raise NotAVideoError(f"{one_line(path)} uses the codec {name}, which is not supported")
    stream.codec_context.options = {"codec_whitelist": ",".join(_DECODERS.split()), "max_pixels": str(MAX_PIXELS)}
    return stream


def offered_streams(container: InputContainer) -> list[OfferedStream]:
    """Video streams of a container, in order."""
    return [OfferedStream.of(stream, codec_name(stream)) for stream in container.streams.video]


def codec_name(stream: VideoStream) -> str:
    """FFmpeg's canonical codec name, independent of the decoder; "unknown" if FFmpeg has none."""
    context = stream.codec_context
    return _NO_CODEC if context is None else context.codec.canonical_name
