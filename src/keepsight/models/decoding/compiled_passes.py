"""Compiled passes of fixed shape: keys and values in preallocated rooms, with score rows computed inside.

A compiled pass has one shape. So the room's length is rounded up to a multiple of `BUCKET_TOKENS`, the batch to a power
of two, and drafts always have the same number of tokens; rows cover the whole room. A growing memory thus needs a
handful of shapes, and compilation ends after the first clips. Rooms are reused for every clip, since recorded CUDA
graphs need fixed addresses.

Whether it pays depends on the hardware: it saves launches, not arithmetic. `benchmarks/compiled.py` measures it.
"""

import threading
from collections import defaultdict
from typing import Any

import torch
from torch import Tensor
from transformers import Cache, StaticCache

from keepsight.models.decoding.attention_rows import RowRule
from keepsight.models.decoding.language_model import LanguageModel, PromptBatch
from keepsight.models.decoding.repetition import penalised
from keepsight.models.finite import greedy_ids

BUCKET_TOKENS = 512


class CompiledDecoder:
    """Decoder whose passes after the prompts are compiled.

    Args:
        model: the language model; its attention must be causal in all layers.
        backend: backend of `torch.compile`; None for inductor, with CUDA graphs on CUDA.
    """

    def __init__(self, model: LanguageModel, backend: Any = None) -> None:
        self._model = model
        on_cuda = model.device.type == "cuda"
        options: dict[str, Any] = {"backend": backend} if backend is not None else {}
        if backend is None and on_cuda:
            options = {"mode": "reduce-overhead"}
        self._pass = torch.compile(self._plain_pass, dynamic=False, fullgraph=True, **options)
        self._free_rooms: defaultdict[tuple[int, int], list[StaticCache]] = defaultdict(list)
        self._lock = threading.Lock()

    def begin(self, batch: PromptBatch, cache: Cache, max_new_tokens: int, num_guesses: int = 0) -> "CompiledPasses":
        """Start passes after prompts that have been read; they hold a room until released.

        Args:
            batch: the prompts.
            cache: keys and values of the prompts, copied.
            max_new_tokens: token limit of a reply.
            num_guesses: draft tokens fed with a token; 0 for none.
        """
        needed = batch.embeds.shape[1] + max_new_tokens + num_guesses
        num_columns = -(-needed // BUCKET_TOKENS) * BUCKET_TOKENS
        num_rows = 1 << (len(batch) - 1).bit_length()
        with self._lock:
            free = self._free_rooms[num_rows, num_columns]
            room = free.pop() if free else StaticCache(self._model.decoder.config, num_columns)
        _fill(room, cache, num_rows)
        return CompiledPasses(self, batch, room, num_rows, num_columns, num_guesses)

    def give_back(self, room: StaticCache, num_rows: int, num_columns: int) -> None:
        """Return a room for reuse."""
        with self._lock:
            self._free_rooms[num_rows, num_columns].append(room)

    @torch.no_grad()
    def run(self, *arguments: Any) -> tuple[Tensor, Tensor | None]:
        """Run one compiled pass; copies its results out of memory that a CUDA graph reuses."""
        with self._lock:
            predicted, rows = self._pass(*arguments)
            return predicted.clone(), None if rows is None else rows.clone()

    def _plain_pass(
        self,
        ids: Tensor,
        positions: Tensor,
        mask: Tensor,
        cache: StaticCache,
        rule: RowRule | None,
        factors: Tensor | None,
    ) -> tuple[Tensor, Tensor | None]:
        logits, rows = self._model.step(ids, cache, mask, positions, rule)
        return greedy_ids(penalised(logits, factors)), rows


class CompiledPasses:
    """Passes over one fixed room: see `passes.Passes`."""

    def __init__(
        self,
        decoder: CompiledDecoder,
        batch: PromptBatch,
        room: StaticCache,
        num_rows: int,
        num_columns: int,
        num_guesses: int,
    ) -> None:
        self._decoder, self._batch, self._room = decoder, batch, room
        self._num_rows, self._num_guesses = num_rows, num_guesses
        self._num_filled = batch.embeds.shape[1]
        seen = torch.ones(num_rows, num_columns, dtype=torch.bool, device=batch.embeds.device)
        if batch.mask is not None:
            seen[: len(batch), : self._num_filled] = batch.mask.bool()
        self._seen = seen
        self._first_positions = batch.next_positions
        self._num_axes = 1 if batch.positions is None else len(batch.positions)
        self._num_fed = 0

    def feed(self, ids: Tensor, rule: RowRule | None, factors: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Feed tokens (`Passes.feed`), padding drafts to the fixed number and taking the padding back."""
        num_rows, num_tokens = ids.shape
        width = 1 if num_tokens == 1 else 1 + self._num_guesses
        padded = torch.nn.functional.pad(ids, (0, width - num_tokens, 0, self._num_rows - num_rows))
        columns = torch.arange(self._seen.shape[1], device=ids.device)
        reach = self._num_filled + torch.arange(width, device=ids.device)
        mask = self._seen.unsqueeze(1) & (columns <= reach.unsqueeze(1))
        first = torch.nn.functional.pad(self._first_positions, (0, self._num_rows - num_rows)) + self._num_fed
        positions = first.unsqueeze(1) + torch.arange(width, device=ids.device)
        whole = None if rule is None else RowRule(rule.layers, rule.heads, 0, self._seen.shape[1])
        if factors is not None:
            factors = torch.nn.functional.pad(
                factors, (0, 0, 0, width - num_tokens, 0, self._num_rows - num_rows), value=1.0
            )
        predicted, rows = self._decoder.run(
            padded, positions.expand(self._num_axes, -1, -1).contiguous(), mask.unsqueeze(1), self._room, whole, factors
        )
        self._num_filled += width
        self._num_fed += width
        if width > num_tokens:
            self.take_back(width - num_tokens)
        if rows is not None and rule is not None:
            rows = rows[:num_rows, :num_tokens, rule.span]
        return predicted[:num_rows, :num_tokens], rows

    def take_back(self, num_tokens: int) -> None:
        self._num_filled -= num_tokens
        self._num_fed -= num_tokens
        layers: Any = self._room.layers
        for layer in layers:
            layer.cumulative_length.sub_(num_tokens)

    def release(self) -> None:
        self._decoder.give_back(self._room, *self._seen.shape)


@torch.no_grad()  # not inference mode, whose tensors compiled code cannot write to
def _fill(room: StaticCache, cache: Cache, num_rows: int) -> None:
    """Copy keys and values into a room's first rows; the other rows keep stale data."""
    fixed_layers, grown_layers = (list[Any](one.layers) for one in (room, cache))
    for fixed, grown in zip(fixed_layers, grown_layers, strict=True):
        keys, values = grown.keys, grown.values
        if not fixed.is_initialized:
            fixed.lazy_initialization(
                keys[:1, :, :1].expand(num_rows, -1, -1, -1), values[:1, :, :1].expand(num_rows, -1, -1, -1)
            )
        length = keys.shape[2]
        fixed.keys[: len(keys), :, :length].copy_(keys)
        fixed.values[: len(values), :, :length].copy_(values)
        fixed.cumulative_length.fill_(length)
