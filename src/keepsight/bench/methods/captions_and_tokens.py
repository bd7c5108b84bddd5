"""Answers from captions and from the selected visual tokens of the same clips (paper, ablations)."""

from dataclasses import dataclass, replace

from keepsight.asking.evidence import choose_captions, longest_reply
from keepsight.bench.methods.base import Asked, Reply, ask_model
from keepsight.bench.methods.captions import Captions
from keepsight.bench.methods.loop import LoopObserver
from keepsight.bench.methods.selected_tokens import remembered_of
from keepsight.method.prompts import captions_context
from keepsight.method.protocol import VideoModel


@dataclass(frozen=True)
class CaptionsAndTokens(Captions):
    """Like `Captions`, with the captioned clips' selected tokens in place of the video.

    Captions get half of the context budget; tokens of the newest of those clips fill the rest.
    """

    def answer(self, model: VideoModel, seen: LoopObserver, asked: Asked) -> Reply:
        """Answer from both; before the first clip like `Captions`."""
        if not seen.clips:
            return super().answer(model, seen, asked)
        max_new_tokens = longest_reply(model, self.settings)
        room = model.info.context_window_tokens - max_new_tokens
        budget = max(1, min(self.settings.retrieval_budget_tokens, room) // 2)
        settings = replace(self.settings, retrieval_budget_tokens=budget)
        candidates = seen.candidates()
        chosen = choose_captions(model, asked.wording, candidates, settings, query=asked.question)
        context = captions_context(candidates.read_lines(chosen))
        around = model.count_prompt_tokens(context, asked.wording, num_memory_tokens=1) - 1
        left = room - around
        looked_at: list[int] = []
        for index in reversed(chosen):
            left -= len(seen.clips[index].tokens)
            if left < 0:
                break
            looked_at.insert(0, index)
        remembered = remembered_of(seen.clips, looked_at, self.settings, room - around)
        return ask_model(model, context, asked, remembered, max_new_tokens=max_new_tokens)
