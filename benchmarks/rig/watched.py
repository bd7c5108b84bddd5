"""What `keepsight serve` watches in benchmarks: files as fast as it goes, and cameras at their pace."""

import json
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

from keepsight.settings import Settings
from rig.crowd import Crowd, events_of
from rig.toy import toy_frames


class WatchedFile:
    """A file, watched anew whenever it ends.

    Args:
        path: under a root of the server.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def begin(self, crowd: Crowd) -> str:
        """See `Source`."""
        body = {"source": str(self._path), "restart": True}
        return str(json.loads(crowd.send("POST", "/v1/streams", (201,), body))["id"])

    def keep(self, crowd: Crowd, number: int) -> None:
        """See `Source`."""
        while not crowd.is_over.wait(0.2):
            if crowd.get(f"/v1/streams/{crowd.streams[number]}")["state"] != "watching":
                crowd.streams[number] = self.begin(crowd)


class PushedCamera:
    """A stream whose frames are pushed at its pace, and a viewer who takes the time of each clip's event.

    Args:
        number: of the camera.
        clip_seconds: a clip has so many.
        num_clips: of the story that it shows again and again.

    Attributes:
        delays: seconds from the frame that completed a clip to its event.
    """

    def __init__(self, number: int, clip_seconds: float, num_clips: int) -> None:
        self._name = f"push:camera{number}"
        self._frames_per_clip = Settings().frames_per_clip
        self._fps = self._frames_per_clip / clip_seconds
        self._messages = camera_messages(self._fps, num_clips, seed=number)
        self._pushed: list[float] = []
        self.delays: list[float] = []

    def begin(self, crowd: Crowd) -> str:
        """See `Source`."""
        body = {"source": self._name, "sample_fps": self._fps, "restart": True}
        return str(json.loads(crowd.send("POST", "/v1/streams", (201,), body))["id"])

    def keep(self, crowd: Crowd, number: int) -> None:
        """See `Source`."""
        self._pushed, self.delays = [], []
        stream_id, began = crowd.streams[number], time.monotonic()
        viewer = threading.Thread(target=self._view, args=(crowd, stream_id))
        viewer.start()
        for place in range(sys.maxsize):
            if crowd.is_over.wait(max(0.0, began + place / self._fps - time.monotonic())):
                break
            message = self._messages[place % len(self._messages)]
            self._pushed.append(time.monotonic())
            with closing(crowd.open("POST", f"/v1/streams/{stream_id}/frames", message)) as connection:
                connection.getresponse().read()
        crowd.send("POST", f"/v1/streams/{stream_id}/pause", (200, 409))
        viewer.join()

    def _view(self, crowd: Crowd, stream_id: str) -> None:
        with closing(crowd.open("GET", f"/v1/streams/{stream_id}/events")) as connection:
            for name, data in events_of(connection.getresponse()):
                if name == "state" and data["state"] == "paused":
                    return
                # A frame is on screen until the next one, which lets it through.
                last = (data["clip_index"] + 1) * self._frames_per_clip if name == "clip" else len(self._pushed)
                if last < len(self._pushed):
                    self.delays.append(time.monotonic() - self._pushed[last])


def camera_messages(fps: float, num_clips: int, seed: int) -> list[bytes]:
    """Frames of a story in the format in which they are pushed."""
    messages = []
    for place, frame in enumerate(toy_frames(Settings(), first_clip=0, num_clips=num_clips, seed=seed)):
        height, width, _ = frame.image.shape
        head = {"type": "frame", "pts_seconds": place / fps, "width": width, "height": height}
        messages.append(json.dumps(head).encode() + b"\n" + frame.image.tobytes())
    return messages
