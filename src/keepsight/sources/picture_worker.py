"""Process that decodes single images: `python -m keepsight.sources.picture_worker`, started by `picture_decoder`.

Stdin has a line of JSON with `memory_megabytes`, then for each image a line with `num_bytes` and `max_pixels`, followed
by its bytes. Each is answered on stdout with a frame or an error, in the format of `messages`.
"""

import json
import sys
from io import BytesIO
from typing import BinaryIO

from keepsight.sources.messages import write_frame, write_message
from keepsight.sources.readers.picture_files import PictureError, read_picture
from keepsight.sources.worker import claim_stdout
from keepsight.sources.worker_pipe import limit_this_process
from keepsight.video import Frame


def main() -> int:
    """Decode images until stdin ends."""
    out = claim_stdout()
    asked = sys.stdin.buffer
    limit_this_process(json.loads(asked.readline())["memory_megabytes"])
    try:
        while line := asked.readline():
            request = json.loads(line)
            _decode(asked.read(request["num_bytes"]), request["max_pixels"], out)
    except BrokenPipeError:  # the client went away
        return 1
    return 0


def _decode(content: bytes, max_pixels: int, out: BinaryIO) -> None:
    try:
        picture = read_picture(BytesIO(content), "the picture", max_pixels)
    except PictureError as error:
        write_message(out, "error", message=str(error))
    except MemoryError:
        write_message(out, "error", message="the image exceeds the decoder's memory limit")
    else:
        write_frame(out, Frame(picture.image, 0.0))


if __name__ == "__main__":
    sys.exit(main())
