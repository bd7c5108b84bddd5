"""Captions for the past, frames without a caption for the present: Keepsight's `live` setting."""

from dataclasses import dataclass

from keepsight.asking.evidence import live_input, longest_reply
from keepsight.bench.methods.base import Asked, Reply, ask_model
from keepsight.bench.methods.captions import Captions
from keepsight.bench.methods.loop import LoopObserver
from keepsight.method.protocol import VideoModel


@dataclass(frozen=True)
class CaptionsAndLive(Captions):
    """Like `Captions`, plus the newest frames of the unfinished clip.

    The paper has no such option: up to 15 buffered frames have no caption, and questions about the present are answered
    without them.
    """

    def answer(self, model: VideoModel, seen: LoopObserver, asked: Asked) -> Reply:
        """Answer from captions and live frames."""
        max_new_tokens = longest_reply(model, self.settings)
        live = live_input(model, asked.wording, seen.pending, max_new_tokens)
        context = self.context(model, seen, asked, live=live)
        return ask_model(model, context, asked, live, max_new_tokens=max_new_tokens)
