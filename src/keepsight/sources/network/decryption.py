"""Decryption of segments (RFC 8216, section 5.2)."""

from collections.abc import Callable

from keepsight.errors import SourceUnreachableError, VideoError
from keepsight.sources.network.playlists import Resource

KEY_BYTES = 16
"""Key length: 128 bits."""

_MOST_KEYS = 16
_MOST_KEY_BYTES = 1024


class Decryption:
    """Decrypts a playlist's resources; caches recent keys, which segments usually share.

    Args:
        get: returns a resource's bytes up to a size, or an error.
    """

    def __init__(self, get: Callable[[Resource, int], bytes | VideoError]) -> None:
        self._get = get
        self._keys: dict[Resource, bytes] = {}

    def open(self, resource: Resource, data: bytes) -> bytes | VideoError:
        """Decrypted bytes; an error if the key is unavailable or wrong."""
        if resource.encryption is None:
            return data
        key = self._key(resource.encryption.key)
        if isinstance(key, VideoError):
            return key
        try:
            return _decrypted(data, key, resource.encryption.first_vector)
        except ValueError:  # wrong length or padding
            return SourceUnreachableError(f"cannot decrypt {resource.url} with its key")

    def _key(self, resource: Resource) -> bytes | VideoError:
        if resource in self._keys:
            return self._keys[resource]
        key = self._get(resource, _MOST_KEY_BYTES)
        if isinstance(key, VideoError):
            return key
        if len(key) != KEY_BYTES:
            return SourceUnreachableError(f"the key {resource.url} must have {KEY_BYTES} bytes, got {len(key)}")
        if len(self._keys) >= _MOST_KEYS:
            del self._keys[next(iter(self._keys))]
        self._keys[resource] = key
        return key


def _decrypted(data: bytes, key: bytes, first_vector: bytes) -> bytes:
    """Decrypt and remove padding.

    Raises:
        ValueError: invalid data.
    """
    # Imported here, since most streams do not need it.
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.algorithms import AES128
    from cryptography.hazmat.primitives.ciphers.modes import CBC
    from cryptography.hazmat.primitives.padding import PKCS7

    decryptor = Cipher(AES128(key), CBC(first_vector)).decryptor()
    unpadder = PKCS7(AES128.block_size).unpadder()
    padded = decryptor.update(data) + decryptor.finalize()
    return unpadder.update(padded) + unpadder.finalize()
