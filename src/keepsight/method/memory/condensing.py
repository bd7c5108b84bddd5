"""Memory policies that keep one token of many that are alike, fast enough for every clip.

Both compare tokens by their signatures (`signatures.py`), which held clips keep: of a clip at the paper's size, 196 new
tokens beside 3,136 held, only the new ones are read.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from keepsight.method.memory.clips import Capacity, Clips, keep_rows, num_tokens_of
from keepsight.method.memory.signatures import LENGTH, likeness_blocks, likeness_of

Rows = NDArray[np.float32]
Kept = NDArray[np.bool_]


@dataclass(frozen=True)
class Newest:
    """Drop the older of the two most similar tokens until the rest fits: the newest look of each thing stays.

    Similarity is the cosine; ties drop the oldest token. The newest token of all is never dropped.
    """

    def retain(self, clips: Clips, capacity: Capacity) -> Clips:
        return _condensed(clips, capacity, without_older_of_alike)


@dataclass(frozen=True)
class StreamMedoids:
    """Drop the token that the others represent best until the rest fits: medoids, without clustering again.

    Every token is represented by the most similar kept one. The next to go is the one without which the sum of cosine
    distances to representatives grows least (Chrobak, Kenyon and Young, "The reverse greedy algorithm for the metric
    k-median problem", 2006). Ties keep the earlier token. There is nothing random.
    """

    def retain(self, clips: Clips, capacity: Capacity) -> Clips:
        return _condensed(clips, capacity, without_represented)


def _condensed(clips: Clips, capacity: Capacity, choose: Callable[[Rows, int], Kept]) -> Clips:
    """Clips with the tokens that a rule keeps of all, given their signatures and how many to drop."""
    num_dropped = num_tokens_of(clips) - capacity.budget_tokens
    if num_dropped <= 0:
        return clips
    if capacity.budget_tokens == 0:
        return ()
    rows = np.concatenate([clip.signatures for clip in clips])
    return keep_rows(clips, torch.from_numpy(choose(rows, num_dropped)))


def without_older_of_alike(signatures: Rows, num_dropped: int) -> Kept:
    """Rows that stay when the older of the two most alike goes, again and again.

    Args:
        signatures: `[num_tokens, width]`, tokens from old to new.
        num_dropped: rows to drop, fewer than all.
    """
    rows = torch.from_numpy(signatures)
    closest, value = _closest_newer(rows)
    kept = np.ones(len(rows), dtype=np.bool_)
    gone = np.zeros(len(rows), dtype=np.float32)
    for _ in range(num_dropped):
        dropped = int(value.argmax())
        kept[dropped], value[dropped], gone[dropped] = False, -np.inf, -np.inf
        for row in np.flatnonzero((closest == dropped) & kept).tolist():
            newer = (rows[row + 1 :] @ rows[row]).numpy() + gone[row + 1 :]
            place = int(newer.argmax())
            closest[row], value[row] = row + 1 + place, newer[place]
    return kept


def _closest_newer(rows: torch.Tensor) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Most similar newer row of each, and its likeness; -1 and -inf for the newest, which has none."""
    closest = np.full(len(rows), -1, dtype=np.int64)
    value = np.full(len(rows), -np.inf, dtype=np.float32)
    for start, block in likeness_blocks(rows):
        likeness, end = block.numpy(), start + len(block)
        likeness[np.tril_indices(end - start)] = -np.inf  # not older than itself, nor itself
        places = likeness.argmax(axis=1)
        closest[start:end], value[start:end] = start + places, likeness[np.arange(end - start), places]
    closest[-1] = -1
    return closest, value


def without_represented(signatures: Rows, num_dropped: int) -> Kept:
    """Rows that stay when the one whose loss costs least goes, again and again (reverse greedy).

    Args:
        signatures: as for `without_older_of_alike`.
        num_dropped: rows to drop, fewer than all.
    """
    likeness = likeness_of(signatures)
    num_tokens = len(likeness)
    np.fill_diagonal(likeness, -np.inf)
    kept = np.ones(num_tokens, dtype=np.bool_)
    gone = np.zeros(num_tokens, dtype=np.float32)
    nearest = likeness.argmax(axis=1)  # the most similar kept row other than itself
    second = np.full(num_tokens, -1)  # of dropped rows, the most similar kept one but that
    value = likeness[np.arange(num_tokens), nearest].astype(np.float64)
    spare = np.zeros(num_tokens)  # of dropped rows, by how much the second is less similar
    for _ in range(num_dropped):
        loss = LENGTH**2 - value + np.bincount(nearest[~kept], spare[~kept], minlength=num_tokens)
        loss[~kept] = np.inf
        dropped = num_tokens - 1 - int(loss[::-1].argmin())
        kept[dropped], gone[dropped] = False, -np.inf
        second[dropped] = dropped  # so that it is looked at now
        for row in np.flatnonzero((nearest == dropped) | (second == dropped)).tolist():
            alike = likeness[row] + gone
            nearest[row] = alike.argmax()
            value[row] = alike[nearest[row]]
            if not kept[row]:
                alike[nearest[row]] = -np.inf
                second[row] = alike.argmax()
                spare[row] = value[row] - alike[second[row]]
    return kept
