"""Changes to the bytes of a media file that tend to lead a reader astray."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np

_EDGES = (0, 1, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF0, 0xFFFFFFFF)
_NUM_CHANGES = (0.6, 0.25, 0.15)

Random = np.random.Generator


def mutated(data: bytes, others: Sequence[bytes], rng: Random) -> tuple[bytes, tuple[str, ...]]:
    """A file changed in one to three ways, and their names.

    Args:
        data: the file.
        others: files to splice it with.
        rng: decides.
    """
    count = 1 + int(rng.choice(len(_NUM_CHANGES), p=_NUM_CHANGES))
    names = tuple(rng.choice(sorted(_CHANGES), count).tolist())
    for name in names:
        other = others[int(rng.integers(len(others)))]
        data = _CHANGES[name](data, other, rng) if len(data) > 16 else data
    return data, names


def _flip_bits(data: bytes, _: bytes, rng: Random) -> bytes:
    changed = np.frombuffer(data, np.uint8).copy()
    places = rng.integers(0, len(changed), int(rng.integers(1, max(2, len(data) // 500))))
    changed[places] ^= (1 << rng.integers(0, 8, len(places))).astype(np.uint8)
    return changed.tobytes()


def _change_header(data: bytes, _: bytes, rng: Random) -> bytes:
    head = min(len(data), 512)
    changed = np.frombuffer(data, np.uint8).copy()
    places = rng.integers(0, head, int(rng.integers(1, 8)))
    changed[places] = rng.integers(0, 256, len(places)).astype(np.uint8)
    return changed.tobytes()


def _edit_length(data: bytes, _: bytes, rng: Random) -> bytes:
    """Put an edge value, or one near the old one, where a number no larger than the file stands."""
    size = int(rng.choice([1, 2, 4, 8]))
    order: Literal["big", "little"] = "big" if rng.random() < 0.6 else "little"
    for place in rng.integers(0, len(data) - size, 200).tolist():
        old = int.from_bytes(data[place : place + size], order)
        if 0 < old <= len(data):
            near = old + int(rng.integers(-16, 17))
            new = near if rng.random() < 0.4 else int(rng.choice(_EDGES)) << 8 * int(rng.integers(0, size))
            return data[:place] + (new % (1 << 8 * size)).to_bytes(size, order) + data[place + size :]
    return data


def _blocks(data: bytes, rng: Random) -> tuple[int, int, int]:
    """Two places and a length that fit in a file."""
    length = int(rng.integers(1, max(2, min(len(data) // 8, 1000))))
    first, second = sorted(rng.integers(0, len(data) - length + 1, 2).tolist())
    return first, second, length


def _swap_blocks(data: bytes, _: bytes, rng: Random) -> bytes:
    first, second, length = _blocks(data, rng)
    second = max(second, first + length)
    one, other = data[first : first + length], data[second : second + length]
    return data[:first] + other + data[first + length : second] + one + data[second + length :]


def _repeat_block(data: bytes, _: bytes, rng: Random) -> bytes:
    first, second, length = _blocks(data, rng)
    return data[:second] + data[first : first + length] * int(rng.integers(1, 20)) + data[second:]


def _drop_block(data: bytes, _: bytes, rng: Random) -> bytes:
    first, _second, length = _blocks(data, rng)
    return data[:first] + data[first + length :]


def _truncate(data: bytes, _: bytes, rng: Random) -> bytes:
    return data[: int(rng.integers(1, len(data)))]


def _splice(data: bytes, other: bytes, rng: Random) -> bytes:
    return data[: int(rng.integers(1, len(data)))] + other[int(rng.integers(0, max(1, len(other)))) :]


_CHANGES: Mapping[str, Callable[[bytes, bytes, Random], bytes]] = {
    "flipped bits": _flip_bits,
    "changed header": _change_header,
    "edited length": _edit_length,
    "swapped blocks": _swap_blocks,
    "repeated block": _repeat_block,
    "dropped block": _drop_block,
    "truncated": _truncate,
    "spliced": _splice,
}
