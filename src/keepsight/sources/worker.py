"""Decoder process: `python -m keepsight.sources.worker`, started by `isolated.IsolatedReader`.

It holds neither model nor journal, so a malformed file or hostile server can cost at most the current clip. Stdin has
two lines of JSON: what to open, answered with `info`, and how to sample it, answered with frames. Addresses are not
passed as arguments, since those are visible to all users. Messages have the format of `messages`.
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
from keepsight.sources.messages import write_frame, write_message
from keepsight.sources.worker_pipe import limit_this_process
from keepsight.video.packet_times import PacketExtent


def main() -> int:
    """Serve one source until it ends or the reader is gone."""
    out = claim_stdout()
    part = None
    try:
        request = _next_request()
        part = request["part"]
        extent = _serve(out, request)
    except BrokenPipeError:  # the reader exited or was killed
        return 1
    except KeepsightError as error:
        message = str(error) if part is None else _text(error, part)
        write_message(out, "error", kind=type(error).__name__, message=message)
    except MemoryError:
        write_message(out, "error", kind="DecoderDiedError", message="decoding exceeds the memory limit")
    except Exception as error:  # noqa: BLE001 - process boundary: report without addresses
        write_message(out, "error", kind="DecoderDiedError", message=f"decoding failed{_fault(error, part)}")
    else:
        write_message(out, "end", **({} if extent is None else asdict(extent)))
    return 0


def _fault(error: Exception, part: Mapping[str, Any] | None) -> str:
    """Kind and place of an exception; for a plug-in's source its package, and the exception's text, too."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    kind, where = type(error).__name__, f"{Path(place.filename).name}, line {place.lineno}"
    if part is None:
        return f": {kind} in {where}"
    package = f" in {part['package']}" if part.get("package") else ""
    return f"{package}: {kind}: {_text(error, part)} ({where})"


def _text(error: Exception, part: Mapping[str, Any]) -> str:
    """Text of an exception of a plug-in's source, on one line and without credentials."""
    from keepsight.sources.plug_in import fault_of_request

    return fault_of_request(error, part)


def _serve(out: BinaryIO, request: Mapping[str, Any]) -> PacketExtent | None:
    """Serve one source to its end; return the extent of its packets, if known."""
    from keepsight.sources.opening import OpeningOptions, open_source
    from keepsight.sources.plug_in import from_request

    limit_this_process(request["memory_megabytes"])
    options = OpeningOptions(request["allow_private"], request["stdin_descriptor"], request["video_stream"])
    source = request["source"] if request["part"] is None else from_request(request["part"])
    with open_source(source, options) as reader:
        write_message(out, "info", **asdict(reader.info))
        wanted = _next_request()
        threading.Thread(target=_end_with_the_reader, daemon=True).start()
        frames = reader.sampled_frames(wanted["sample_fps"], start_seconds=wanted["start_seconds"])
        for frame in frames:
            write_frame(out, frame)
        return reader.extent


def _next_request() -> Mapping[str, Any]:
    line = sys.stdin.readline()
    if not line:
        raise VideoError("no request was received")
    request: Mapping[str, Any] = json.loads(line)
    return request


def _end_with_the_reader() -> None:
    """End this process when the reader is gone, even if a decoder hangs."""
    sys.stdin.read()
    os._exit(1)


def claim_stdout() -> BinaryIO:
    """Reserve stdout for messages; library output is discarded."""
    out = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    return out


if __name__ == "__main__":
    sys.exit(main())
