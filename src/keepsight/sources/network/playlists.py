"""Contents of HLS playlists (RFC 8216): variants of a stream, segments of a variant, bytes of a segment."""

from dataclasses import dataclass

from keepsight.sources.network.fetching import ByteRange
from keepsight.sources.network.urls import SourceUrl


@dataclass(frozen=True)
class Resource:
    """A file, or part of one, that a playlist refers to.

    Attributes:
        playlist_url: the playlist.
        reference: URL reference, unchecked.
        part: byte range, or None for all.
        encryption: encryption, or None.
    """

    playlist_url: SourceUrl
    reference: str
    part: ByteRange | None = None
    encryption: "Encryption | None" = None

    @property
    def url(self) -> SourceUrl:
        """Absolute URL, resolved on demand, since playlists may have many thousands and live ones are read every
        second.

        Raises:
            AddressRefusedError: it is not allowed.
        """
        return self.playlist_url.join(self.reference)


@dataclass(frozen=True)
class Encryption:
    """AES-128 in CBC mode with PKCS7 padding (RFC 8216, section 4.3.2.4).

    Attributes:
        key: 16 bytes.
        first_vector: initialisation vector, 16 bytes.
    """

    key: Resource
    first_vector: bytes


@dataclass(frozen=True)
class Variant:
    """One encoding of a stream.

    Attributes:
        url: its media playlist.
        bandwidth: peak bits per second.
        height: height in pixels, or None if not stated.
        codecs: in RFC 6381 form, or empty.
    """

    url: SourceUrl
    bandwidth: int
    height: int | None
    codecs: str


@dataclass(frozen=True)
class Segment:
    """A segment of the stream.

    Attributes:
        number: its media sequence number.
        media: its bytes.
        seconds: duration.
        header: initialisation section (EXT-X-MAP), or None.
        is_new_run: whether coding or clock may change before it.
        is_gap: whether the server marks it missing.
        started_at: Unix time of its first picture, or None.
    """

    number: int
    media: Resource
    seconds: float
    header: Resource | None
    is_new_run: bool
    is_gap: bool
    started_at: float | None


@dataclass(frozen=True)
class MediaPlaylist:
    """Segments of one variant.

    Attributes:
        segments: in order.
        target_seconds: maximum segment duration, rounded.
        is_ended: whether the playlist is complete.
    """

    segments: tuple[Segment, ...]
    target_seconds: float
    is_ended: bool
