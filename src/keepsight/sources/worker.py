"""The process that decodes: `python -m keepsight.sources.worker`, started by `isolated.IsolatedReader`.

It holds neither model nor journal, so whatever a malformed file or a hostile server makes of it costs the clip in work
at most. On stdin come two lines of JSON: what to open, answered with `info`, and how to sample it, answered with
frames. Addresses come that way and not as arguments because arguments are seen by everyone on the machine. Messages go
out in the format of `messages`.
"""

import json
import os
import sys
import threading
import traceback
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from keepsight.errors import KeepsightError, VideoError
from keepsight.sources.limits import limit_this_process
from keepsight.sources.messages import write_frame, write_message


def main() -> int:
    """Serve one source until it ends or nobody reads any more."""
    out = claim_stdout()
    try:
        _serve(out)
    except BrokenPipeError:  # the reader went away, or was killed
        return 1
    except KeepsightError as error:
        write_message(out, "error", kind=type(error).__name__, message=str(error))
    except MemoryError:
        write_message(out, "error", kind="DecoderDiedError", message="decoding needs more memory than it may have")
    except Exception as error:  # noqa: BLE001 - the edge of a process: said in words that show no address
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{type(error).__name__} in {Path(place.filename).name}, line {place.lineno}"
        write_message(out, "error", kind="DecoderDiedError", message=f"decoding failed: {where}")
    else:
        write_message(out, "end")
    return 0


def _serve(out: BinaryIO) -> None:
    from keepsight.sources.opening import OpeningOptions, open_source

    request = _next_request()
    limit_this_process(request["memory_megabytes"])
    options = OpeningOptions(request["allow_private"], request["stdin_descriptor"])
    with open_source(request["source"], options) as reader:
        write_message(out, "info", **asdict(reader.info))
        wanted = _next_request()
        threading.Thread(target=_end_with_the_reader, daemon=True).start()
        frames = reader.sampled_frames(
            wanted["sample_fps"], start_seconds=wanted["start_seconds"], max_side_pixels=wanted["max_side_pixels"]
        )
        for frame in frames:
            write_frame(out, frame)


def _next_request() -> Mapping[str, Any]:
    line = sys.stdin.readline()
    if not line:
        raise VideoError("nothing was asked for")
    request: Mapping[str, Any] = json.loads(line)
    return request


def _end_with_the_reader() -> None:
    """End this process when the one that reads is gone, also in the middle of a decoder that hangs."""
    sys.stdin.read()
    os._exit(1)


def claim_stdout() -> BinaryIO:
    """Stdout for messages alone: what a library prints goes nowhere."""
    out = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    return out


if __name__ == "__main__":
    sys.exit(main())
