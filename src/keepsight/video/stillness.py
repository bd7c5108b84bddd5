"""How much a picture differs from another, as far as a viewer would notice.

Both are reduced to the mean colour of 64 x 64 cells. A mean over many pixels averages sensor noise out, while a small
thing that comes, goes or moves changes the cells that it covers. The largest change of any cell counts, not the mean
over the picture, in which a small thing would vanish. `benchmarks/still.py` measures how often this errs.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

CELLS = 64
"""Cells a side, however large the picture and whatever its aspect ratio."""


def reduced(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Mean colour of each cell of a picture.

    Args:
        image: uint8 RGB `[height, width, 3]`.

    Returns:
        uint8 RGB `[64, 64, 3]`.
    """
    return np.asarray(Image.fromarray(image).resize((CELLS, CELLS), Image.Resampling.BOX), np.uint8)


def largest_change(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> int:
    """Largest difference of any cell in any colour, in levels of 255: 0 for equal pictures.

    Args:
        before: `reduced` picture.
        after: another.
    """
    return int(np.abs(after.astype(np.int16) - before).max())
