"""Parsing of HLS playlists (RFC 8216); opens nothing."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from math import isfinite

from keepsight.errors import NotAVideoError
from keepsight.sources.network.fetching import ByteRange
from keepsight.sources.network.playlists import Encryption, MediaPlaylist, Resource, Segment, Variant
from keepsight.sources.network.urls import SourceUrl

MAX_PLAYLIST_BYTES = 8 << 20
"""Size limit of a playlist: ten hours of 2-second segments with long URLs are about 4 MB."""

MAX_SEGMENTS = 100_000
"""Limit of segments per playlist."""

MAX_VARIANTS = 200
"""Limit of variants per stream."""

MAX_SEGMENT_SECONDS = 600.0
"""Duration limit of a segment."""

_ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"]*"|[^",]*)')
_RESOLUTION = re.compile(r"\d{1,5}x(\d{1,5})")


def parse_playlist(data: bytes, url: SourceUrl) -> MediaPlaylist | tuple[Variant, ...]:
    """Parse a media playlist, or the variants of a master playlist.

    Args:
        data: playlist content.
        url: its URL, which relative URLs refer to.

    Raises:
        NotAVideoError: it is not a playlist, uses encryption other than AES-128, or unsupported features.
        AddressRefusedError: it has a URL with a forbidden scheme.
    """
    try:
        lines = [line.strip() for line in data.decode("utf-8-sig").splitlines()]
    except UnicodeDecodeError:
        lines = []
    if not lines or not lines[0].startswith("#EXTM3U"):
        raise NotAVideoError(f"{url} is not an HLS playlist")
    try:
        if any(line.startswith("#EXT-X-STREAM-INF:") for line in lines):
            return tuple(_variants(lines, url))
        return _MediaParser(url).parse(lines)
    except (ValueError, OverflowError) as error:
        raise NotAVideoError(f"{url} is a malformed playlist: invalid number") from error


def _variants(lines: list[str], url: SourceUrl) -> Iterator[Variant]:
    attributes: dict[str, str] | None = None
    num_variants = 0
    for line in lines:
        if line.startswith("#EXT-X-STREAM-INF:"):
            attributes = _attributes(line)
        elif line and not line.startswith("#") and attributes is not None:
            num_variants += 1
            if num_variants > MAX_VARIANTS:
                raise NotAVideoError(f"{url} must have at most {MAX_VARIANTS} variants")
            size = _RESOLUTION.fullmatch(attributes.get("RESOLUTION", ""))
            yield Variant(
                url.join(line),
                int(attributes.get("BANDWIDTH", "0")),
                None if size is None else int(size[1]),
                attributes.get("CODECS", ""),
            )
            attributes = None


class _MediaParser:
    def __init__(self, url: SourceUrl) -> None:
        self._url = url
        self._segments: list[Segment] = []
        self._number = 0
        self._target_seconds = 0.0
        self._is_ended = False
        self._key: Resource | None = None
        self._vector: bytes | None = None
        self._header: Resource | None = None
        self._header_of_last: Resource | None = None
        self._range_end: dict[str, int] = {}
        self._reset()

    def _reset(self) -> None:
        self._seconds: float | None = None
        self._range = ""
        self._is_new_run = False
        self._is_gap = False
        self._started_at: float | None = None

    def parse(self, lines: list[str]) -> MediaPlaylist:
        for line in lines[1:]:
            if line.startswith("#EXT"):
                self._take_tag(*line.partition(":")[::2])
            elif line and not line.startswith("#"):
                self._take_segment(line)
        return MediaPlaylist(tuple(self._segments), self._target_seconds, self._is_ended)

    def _take_tag(self, tag: str, value: str) -> None:
        if tag == "#EXTINF":
            self._seconds = _seconds(value.partition(",")[0])
        elif tag == "#EXT-X-TARGETDURATION":
            self._target_seconds = _seconds(value)
        elif tag == "#EXT-X-MEDIA-SEQUENCE":
            self._number = int(value)
        elif tag == "#EXT-X-BYTERANGE":
            self._range = value
        elif tag == "#EXT-X-MAP":
            self._header = self._read_header(_attributes(value))
        elif tag in ("#EXT-X-DISCONTINUITY", "#EXT-X-ENDLIST", "#EXT-X-GAP"):
            self._is_new_run |= tag == "#EXT-X-DISCONTINUITY"
            self._is_ended |= tag == "#EXT-X-ENDLIST"
            self._is_gap |= tag == "#EXT-X-GAP"
        elif tag == "#EXT-X-PROGRAM-DATE-TIME":
            self._started_at = _wall_seconds(value)
        elif tag == "#EXT-X-KEY":
            self._read_key(_attributes(value))
        elif tag in ("#EXT-X-DEFINE", "#EXT-X-I-FRAMES-ONLY"):
            raise NotAVideoError(f"{self._url} uses {tag[1:]}, which is not supported")

    def _take_segment(self, reference: str) -> None:
        if self._seconds is None:
            raise NotAVideoError(f"{self._url} is a malformed playlist: a segment has no duration")
        if len(self._segments) >= MAX_SEGMENTS:
            raise NotAVideoError(f"{self._url} must have at most {MAX_SEGMENTS} segments")
        # Without an explicit vector, the segment's number is used.
        media = self._resource(reference, self._range, self._number.to_bytes(16, "big"))
        # Not the first: a playlist that starts mid-stream has no previous segment.
        is_new_header = bool(self._segments) and self._header != self._header_of_last
        self._segments.append(
            Segment(
                number=self._number,
                media=media,
                seconds=self._seconds,
                header=self._header,
                is_new_run=self._is_new_run or is_new_header,
                is_gap=self._is_gap,
                started_at=self._started_at,
            )
        )
        self._header_of_last = self._header
        self._number += 1
        self._reset()

    def _read_header(self, attributes: dict[str, str]) -> Resource:
        if "URI" not in attributes:
            raise NotAVideoError(f"{self._url} is a malformed playlist: EXT-X-MAP without URI")
        if self._key is not None and self._vector is None:
            raise NotAVideoError(f"{self._url} is a malformed playlist: an encrypted EXT-X-MAP has no IV")
        return self._resource(attributes["URI"], attributes.get("BYTERANGE", ""), b"")

    def _read_key(self, attributes: dict[str, str]) -> None:
        method = attributes.get("METHOD", "")
        if method == "NONE":
            self._key = self._vector = None
            return
        if method != "AES-128" or attributes.get("KEYFORMAT", "identity") != "identity":
            raise NotAVideoError(f"{self._url} uses unsupported encryption; only AES-128 with a plain key is supported")
        if "URI" not in attributes:
            raise NotAVideoError(f"{self._url} is a malformed playlist: EXT-X-KEY without URI")
        self._key = Resource(self._url, attributes["URI"])
        self._vector = int(attributes["IV"], 16).to_bytes(16, "big") if "IV" in attributes else None

    def _resource(self, reference: str, byte_range: str, number: bytes) -> Resource:
        encryption = None if self._key is None else Encryption(self._key, self._vector or number)
        if not byte_range:
            return Resource(self._url, reference, encryption=encryption)
        length, _, offset = byte_range.partition("@")
        start = int(offset) if offset else self._range_end.get(reference, 0)
        if start < 0 or int(length) <= 0:
            raise ValueError("a byte range must have a start of at least 0 and a length above 0")
        self._range_end = {reference: start + int(length)}
        return Resource(self._url, reference, ByteRange(start, start + int(length)), encryption)


def _attributes(line: str) -> dict[str, str]:
    return {name: value.strip('"') for name, value in _ATTRIBUTE.findall(line)}


def _seconds(text: str) -> float:
    seconds = float(text)
    if not (isfinite(seconds) and 0 <= seconds <= MAX_SEGMENT_SECONDS):
        raise ValueError(f"a segment must have 0 to {MAX_SEGMENT_SECONDS} seconds, got {seconds}")
    return seconds


def _wall_seconds(text: str) -> float | None:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
