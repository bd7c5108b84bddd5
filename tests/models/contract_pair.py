"""An adapter and transformers' own path over one random checkpoint, and a look at what the adapter's decoder sees."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from keepsight.method.protocol import DescribeRequest, Description, VisualInput
from keepsight.models.adapter import VideoAdapter
from keepsight.models.loading import load_model
from keepsight.settings import DESCRIBE_PROMPT
from tests.models.architecture import FRAME_SIZES, Architecture, Stock, StockPrompt, random_frames

NEW_TOKENS = 8


class Pair:
    """An architecture's adapter and stock model."""

    def __init__(self, architecture: Architecture, folder: Path, dtype: str | None = None) -> None:
        self.architecture, self.folder = architecture, folder
        loaded = load_model(folder, device="cpu", dtype=dtype)
        assert isinstance(loaded, VideoAdapter)
        self.model, self.stock = loaded, Stock(architecture, folder)

    def memory(self, num_tokens: int) -> Tensor:
        """Tokens of an earlier clip, each second one, oldest first."""
        if not num_tokens:
            return self.nothing
        per_frame = self.architecture.num_tokens(2, *FRAME_SIZES[0]) // 2
        earlier = self.model.encode(random_frames(2 * num_tokens // per_frame + 2, seed=99))
        return earlier[::2][:num_tokens]

    @property
    def nothing(self) -> Tensor:
        return torch.zeros(0, self.model.info.token_width, dtype=self.model.encode(random_frames(1)).dtype)

    def shown(
        self, memory: Tensor, frames: Sequence[np.ndarray], frame_seconds: Sequence[float] | None = None
    ) -> VisualInput:
        """What the adapter is given for a memory and a clip's frames."""
        if not len(frames):
            return VisualInput(memory, self.nothing)
        return VisualInput(
            memory,
            self.model.encode(frames),
            token_grid=self.model.token_grid(*frames[0].shape[:2]),
            frame_seconds=None if frame_seconds is None else tuple(frame_seconds),
        )

    def expected(
        self,
        visual: VisualInput,
        frames: Sequence[np.ndarray],
        max_new_tokens: int = NEW_TOKENS,
        text: str = DESCRIBE_PROMPT,
    ) -> tuple[list[int], Tensor]:
        """Reply and scores by the stock model."""
        prompt = self.stock.prompt(text, len(visual.memory), frames, visual.frame_seconds)
        tokens = torch.cat([visual.memory, visual.tokens])
        reply = self.stock.reply(prompt, tokens, max_new_tokens)
        return reply, self.stock.scores(prompt, tokens, reply, self.model.info.score_layers)

    def prompt_seen(self, visual: VisualInput, prompt: StockPrompt) -> "Seen":
        """What the adapter's decoder takes and gives over the whole of a captioning prompt."""
        with Seen(self.model) as seen:
            self.model.describe(visual, DescribeRequest(max_new_tokens=1))
        seen.cut(len(prompt.ids))
        return seen

    def reply_ids(self, describe: Callable[[], Description]) -> tuple[Description, list[int]]:
        """A description with the token ids behind its caption."""
        decoded: list[list[int]] = []
        tokenizer: Any = self.model._tokenizer
        decode = tokenizer.decode

        def decode_and_note(ids: Sequence[int], **options: Any) -> str:
            decoded.append(list(ids))
            return decode(ids, **options)

        tokenizer.decode = decode_and_note
        try:
            return describe(), decoded[-1]
        finally:
            del tokenizer.decode


class Seen:
    """Records what goes into the decoder and comes out of it while it is active; `[length, ...]` once cut."""

    def __init__(self, model: VideoAdapter) -> None:
        self.embeds: Any = []
        self.positions: Any = []
        self.states: Any = []
        self._decoder = model._language.decoder

    @property
    def num_passes(self) -> int:
        return len(self.embeds)

    def cut(self, length: int) -> None:
        """Keep the first so many columns of a single prompt, in whatever passes they came."""
        self.embeds = torch.cat(self.embeds, dim=1)[0, :length]
        self.states = torch.cat(self.states, dim=1)[0, :length]
        if self.positions and self.positions[0] is not None:
            self.positions = torch.cat(self.positions, dim=-1)[..., 0, :length]
        else:
            self.positions = None

    def __enter__(self) -> "Seen":
        self._hook = self._decoder.register_forward_hook(self._record, with_kwargs=True)
        return self

    def __exit__(self, *reason: object) -> None:
        self._hook.remove()

    def _record(self, module: Any, arguments: Any, given: dict[str, Any], output: Any) -> None:
        self.embeds.append(given["inputs_embeds"])
        self.positions.append(given.get("position_ids"))
        self.states.append(output.last_hidden_state)


def top_set(scores: Tensor, share: int = 4) -> set[int]:
    """The tokens that would be kept: one of so many."""
    return set(scores.topk(max(1, len(scores) // share)).indices.tolist())
