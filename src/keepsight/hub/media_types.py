"""HTTP media types of video files by file extension (IANA's media types, and what browsers accept)."""

from collections.abc import Mapping
from pathlib import PurePath
from types import MappingProxyType

VIDEO_TYPES: Mapping[str, str] = MappingProxyType(
    {
        ".mp4": "video/mp4",
        ".m4v": "video/mp4",
        ".mov": "video/quicktime",
        ".webm": "video/webm",
        ".mkv": "video/x-matroska",
        ".avi": "video/x-msvideo",
        ".mpg": "video/mpeg",
        ".mpeg": "video/mpeg",
        ".ts": "video/mp2t",
        ".m2ts": "video/mp2t",
        ".ogv": "video/ogg",
        ".flv": "video/x-flv",
        ".wmv": "video/x-ms-wmv",
        ".3gp": "video/3gpp",
        ".gif": "image/gif",
    }
)


def video_type(name: str) -> str:
    """Media type by file name; `application/octet-stream` if unknown, so that browsers execute nothing."""
    return VIDEO_TYPES.get(PurePath(name).suffix.lower(), "application/octet-stream")
