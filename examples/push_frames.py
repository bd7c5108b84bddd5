"""Push pictures of your own into Keepsight, here a red bar that crosses a black picture.

python examples/push_frames.py | keepsight watch - --journal pushed.db

The format, and pushing from FFmpeg or over HTTP, are in docs/sources.md.
"""

import json
import sys

import numpy as np

NUM_FRAMES, FPS = 64, 0.5
HEIGHT, WIDTH = 192, 192


def push(picture: np.ndarray, pts_seconds: float) -> None:
    """Write one frame to stdout: a line of JSON, then uint8 RGB pixels `[height, width, 3]`."""
    height, width, _ = picture.shape
    line = {"type": "frame", "pts_seconds": pts_seconds, "width": width, "height": height}
    sys.stdout.buffer.write(json.dumps(line).encode() + b"\n")
    sys.stdout.buffer.write(np.ascontiguousarray(picture, dtype=np.uint8).tobytes())


for number in range(NUM_FRAMES):
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    left = number * (WIDTH - 16) // (NUM_FRAMES - 1)
    picture[:, left : left + 16] = (255, 0, 0)
    push(picture, number / FPS)
sys.stdout.buffer.write(b'{"type": "end"}\n')
