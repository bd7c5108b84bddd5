"""What HLS playlists say (RFC 8216): variants of a stream, segments of a variant, bytes of a segment."""

from dataclasses import dataclass

from keepsight.sources.network.fetching import ByteRange
from keepsight.sources.network.urls import SourceUrl


@dataclass(frozen=True)
class Resource:
    """Bytes that a playlist names: a whole file or a part of one.

    Attributes:
        playlist_url: the playlist.
        reference: as it stands there, not judged yet.
        part: the part that is meant, or None for all.
        encryption: how the bytes are encrypted, or None.
    """

    playlist_url: SourceUrl
    reference: str
    part: ByteRange | None = None
    encryption: "Encryption | None" = None

    @property
    def url(self) -> SourceUrl:
        """Its address. Made when it is wanted: a playlist may name many thousands, and live ones come every second.

        Raises:
            AddressRefusedError: it is none that may be opened.
        """
        return self.playlist_url.join(self.reference)


@dataclass(frozen=True)
class Encryption:
    """AES with 128 bits in cipher block chaining, padded as PKCS7 says (RFC 8216, section 4.3.2.4).

    Attributes:
        key: 16 bytes.
        first_vector: 16 bytes that the first block is chained to.
    """

    key: Resource
    first_vector: bytes


@dataclass(frozen=True)
class Variant:
    """One of several codings of a stream.

    Attributes:
        url: its media playlist.
        bandwidth: bits a second at most.
        height: pixels down, or None where the playlist doesn't say.
        codecs: as RFC 6381 writes them, or empty.
    """

    url: SourceUrl
    bandwidth: int
    height: int | None
    codecs: str


@dataclass(frozen=True)
class Segment:
    """A piece of the stream.

    Attributes:
        number: its media sequence number.
        media: its bytes.
        seconds: how long it is.
        header: bytes that have to come before it (EXT-X-MAP), or None.
        is_new_run: whether nothing of its coding or clock need be as before.
        is_gap: whether the server says that it is missing.
        started_at: seconds since 1970 (UTC) of its first picture, or None.
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
    """Segments of one coding.

    Attributes:
        segments: in order.
        target_seconds: longest length of a segment, rounded.
        is_ended: whether there will be no more.
    """

    segments: tuple[Segment, ...]
    target_seconds: float
    is_ended: bool
