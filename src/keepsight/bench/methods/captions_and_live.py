"""Captions for the past, frames without a caption for the present: Keepsight's `live` setting."""

from dataclasses import dataclass

from keepsight.asking.evidence import live_input, longest_reply
from keepsight.bench.methods.base import Asked
from keepsight.bench.methods.captions import Captions
from keepsight.bench.methods.loop import LoopObserver
from keepsight.method.protocol import VideoModel, VisualInput


@dataclass(frozen=True)
class CaptionsAndLive(Captions):
    """Like `Captions`, plus the newest frames of the unfinished clip.

    The paper has no such option: up to 15 buffered frames have no caption, and questions about the present are answered
    without them.
    """

    def live(self, model: VideoModel, seen: LoopObserver, asked: Asked) -> VisualInput | None:
        """The newest frames that fit, at any time."""
        return live_input(model, asked.wording, seen.pending, longest_reply(model, self.settings))
