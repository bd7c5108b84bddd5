"""What `keepsight serve` watches in benchmarks: files as fast as it goes, and cameras at their pace."""

import json
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import numpy as np

from benchmarks.rig.crowd import Crowd, events_of
from benchmarks.rig.toy import enlarged, toy_frames
from keepsight.settings import Settings


class WatchedFile:
    """A file, watched again whenever it ends.

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
        picture_size: width and height of its pictures; (0, 0) for small ones.

    Attributes:
        delays: seconds from the frame that completed a clip to its event.
    """

    def __init__(
        self, number: int, clip_seconds: float, num_clips: int, picture_size: tuple[int, int] = (0, 0)
    ) -> None:
        self._name = f"push:camera{number}"
        self._frames_per_clip = Settings().frames_per_clip
        self._fps = self._frames_per_clip / clip_seconds
        self._size = picture_size
        self._frames = toy_frames(Settings(), first_clip=0, num_clips=num_clips, seed=number)
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
            message = self._message(place % len(self._frames))
            self._pushed.append(time.monotonic())
            with closing(crowd.open("POST", f"/v1/streams/{stream_id}/frames", message)) as connection:
                connection.getresponse().read()
        crowd.send("POST", f"/v1/streams/{stream_id}/pause", (200, 409))
        viewer.join()

    def _message(self, place: int) -> bytes:
        return frame_message(enlarged(self._frames[place].image, self._size), place / self._fps)

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
    """Small frames of a story in the format in which they are pushed."""
    frames = toy_frames(Settings(), first_clip=0, num_clips=num_clips, seed=seed)
    return [frame_message(frame.image, place / fps) for place, frame in enumerate(frames)]


def frame_message(image: np.ndarray, seconds: float) -> bytes:
    """A frame `[height, width, 3]` in the format in which it is pushed."""
    height, width, _ = image.shape
    head = {"type": "frame", "pts_seconds": seconds, "width": width, "height": height}
    return json.dumps(head).encode() + b"\n" + image.tobytes()
