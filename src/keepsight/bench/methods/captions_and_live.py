"""Captions for the past, the frames that have no caption yet for the present: Keepsight's `live` setting."""

from dataclasses import dataclass

from keepsight.asking.evidence import live_input, longest_reply
from keepsight.bench.methods.base import Asked, Reply, ask_model
from keepsight.bench.methods.captions import Captions
from keepsight.bench.methods.loop import LoopObserver
from keepsight.models.protocol import VideoModel


@dataclass(frozen=True)
class CaptionsAndLive(Captions):
    """As `Captions`, and the model is also shown the newest frames of the unfinished clip.

    The paper has no such thing: up to 15 frames in its buffer have no caption, and questions about now are answered
    without them.
    """

    def answer(self, model: VideoModel, seen: LoopObserver, asked: Asked) -> Reply:
        """Answer from captions and live frames."""
        max_new_tokens = longest_reply(model, self.settings)
        live = live_input(model, asked.wording, seen.pending, max_new_tokens)
        context = self.context(model, seen, asked, live=live)
        return ask_model(model, context, asked, live, max_new_tokens=max_new_tokens)
