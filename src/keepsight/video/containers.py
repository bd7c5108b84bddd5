"""Opening a local media file or a stream of bytes, and nothing else that FFmpeg could open.

FFmpeg reads far more than video files: playlists that name other files or hosts, protocols written as file names,
scripts, and hundreds of rarely used decoders. Only the file protocol (none at all for bytes), container formats that
hold everything themselves and decoders in common use are let through.
"""

from collections.abc import Mapping
from io import RawIOBase
from pathlib import Path
from typing import NoReturn

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition
from av.video.stream import VideoStream

from keepsight.errors import NotAVideoError, NoVideoStreamError, SourceNotFoundError, TruncatedVideoError
from keepsight.video.structure import missing_bytes
from keepsight.video.wording import one_line

FORMATS = (
    "mov mp4 m4a 3gp 3g2 mj2 matroska webm avi mpegts mpeg mpegvideo m4v h264 hevc obu av1 ivf flv asf ogg gif apng "
    "mjpeg mxf nut dv wtv yuv4mpegpipe wav mp3 flac aac aiff ac3 eac3 amr caf w64"
)
"""Container formats that are read, by FFmpeg's names; the audio ones only so that the error can say what they are."""

CODECS = (
    "h264 hevc av1 vp8 vp9 vvc mpeg1video mpeg2video mpeg4 h263 h263p flv1 msmpeg4v1 msmpeg4v2 msmpeg4v3 "
    "wmv1 wmv2 wmv3 vc1 theora mjpeg prores dnxhd dvvideo ffv1 huffyuv ffvhuff rawvideo gif apng png qtrle svq3 cinepak"
)
"""Video codecs that are decoded, by FFmpeg's canonical names."""

MAX_PIXELS = 8192 * 8192
"""Largest picture that is decoded: beyond that it is a bomb, or a mistake."""

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
    """Say in a typed error why a path can't be a video, before FFmpeg sees it.

    Raises:
        SourceNotFoundError: there is nothing at the path.
        NotAVideoError: it is a folder, a device or a pipe, empty, or may not be read.
    """
    name = one_line(path)
    try:
        if not path.exists():
            raise SourceNotFoundError(f"no such file: {name}")
        if path.is_dir():
            raise NotAVideoError(f"{name} is a folder, not a video file")
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
        SourceNotFoundError: there is no such file.
        NotAVideoError: FFmpeg can't read it, or its format is not among those allowed.
        TruncatedVideoError: it is cut off before the index without which no picture can be read.
    """
    check_is_file(path)
    try:
        # The prefix keeps FFmpeg from taking a file name such as "concat:a" for a protocol.
        return av.open(f"file:{path.absolute()}", mode="r", container_options=_OPEN_OPTIONS, metadata_errors="replace")
    except FFmpegError as error:
        if missing_bytes(path):
            raise TruncatedVideoError(
                f"{one_line(path)} is cut off before its index, so no picture can be read"
            ) from error
        raise NotAVideoError(f"{one_line(path)} is not a video that can be read: {error.strerror}") from error


def open_stream(
    file: RawIOBase, name: str, *, format_name: str | None = None, options: Mapping[str, str] | None = None
) -> InputContainer:
    """Open media that is read from a file-like object, with `FORMATS` and no protocol at all; the caller closes both.

    Args:
        file: read from its start; sought in where it is seekable. A read gives what there is and nothing at the end.
        name: what errors call it.
        format_name: FFmpeg's name of the format, one that `FORMATS` may lack; None finds it out from the bytes.
        options: further options of the format.

    Raises:
        NotAVideoError: FFmpeg can't read it, its format is not among those allowed, or it refers to other files.
    """

    def refuse(_url: str, _flags: int, _options: object) -> NoReturn:
        raise NotAVideoError(f"{name} refers to other files, which are not read")

    allowed = {
        # The list is one name that no protocol has; FFmpeg takes an empty list in some places for none.
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
        raise NotAVideoError(f"{name} is not a video that can be read: {error.strerror}") from error


def video_stream(container: InputContainer, path: Path | str) -> VideoStream:
    """The stream of pictures to watch: the first that is not a cover image; `path` is what errors call the file.

    Raises:
        NoVideoStreamError: there is none, as in audio files.
        NotAVideoError: its codec is not among `CODECS`.
        TruncatedVideoError: the file is cut off before it says what its codec is.
    """
    streams = [s for s in container.streams.video if Disposition.attached_pic not in s.disposition]
    if not streams:
        raise NoVideoStreamError(f"{one_line(path)} has no video stream")
    stream = streams[0]
    name = codec_name(stream)
    if name == _NO_CODEC and isinstance(path, Path) and missing_bytes(path):
        raise TruncatedVideoError(f"{one_line(path)} is cut off before its index, so no picture can be read")
    if name not in CODECS.split():
        raise NotAVideoError(f"{one_line(path)} is coded as {name}, which is not read")
    stream.codec_context.options = {"codec_whitelist": ",".join(_DECODERS.split()), "max_pixels": str(MAX_PIXELS)}
    return stream


def codec_name(stream: VideoStream) -> str:
    """FFmpeg's canonical name of a stream's codec, whichever decoder reads it; "unknown" where FFmpeg has none."""
    context = stream.codec_context
    return _NO_CODEC if context is None else context.codec.canonical_name
