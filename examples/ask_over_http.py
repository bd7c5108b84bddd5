"""Have a running server watch a video, and ask about it. No library but Python's own.

keepsight serve &
python examples/ask_over_http.py toy.mp4 "What colour is the scarf?"

A video must lie in a folder that the server may read: the one it was started in, or one given with --root.
"""

import argparse
import json
import os
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any


def call(server: str, path: str, body: object = None) -> Any:
    """What a route replies; a token is taken from KEEPSIGHT_TOKEN."""
    headers = {"Content-Type": "application/json"}
    if token := os.environ.get("KEEPSIGHT_TOKEN"):
        headers["Authorization"] = f"Bearer {token}"
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{server}/v1/{path}", content, headers)
    try:
        with urllib.request.urlopen(request) as reply:
            return json.load(reply)
    except urllib.error.HTTPError as error:
        raise SystemExit(json.load(error)["error"]["message"]) from None


def main() -> None:
    """Watch to the end, then ask."""
    parser = argparse.ArgumentParser(description="Have a server watch a video, and ask about it.")
    parser.add_argument("source", help="path on the server's machine, or an address")
    parser.add_argument("question")
    parser.add_argument("--server", default="http://127.0.0.1:8765")
    arguments = parser.parse_args()
    path = Path(arguments.source)
    source = str(path.resolve()) if path.exists() else arguments.source
    stream = call(arguments.server, "streams", {"source": source})
    while (state := call(arguments.server, f"streams/{stream['id']}")["state"]) == "watching":
        time.sleep(1)
    answer = call(arguments.server, "questions", {"stream_id": stream["id"], "question": arguments.question})
    print(f"{state}: {answer['answer']}")
    for citation in answer["citations"]:
        print(f"  {citation['start_seconds']:g} to {citation['end_seconds']:g} s: {citation['caption']}")


if __name__ == "__main__":
    main()
