"""Greedy decoding over a growing cache: several prompts side by side, or one with guesses checked many at a time."""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor
from transformers import Cache

from keepsight.models.decoding.attention_rows import ScoreAccumulator
from keepsight.models.decoding.compiled_passes import CompiledDecoder
from keepsight.models.decoding.drafting import Draft
from keepsight.models.decoding.language_model import LanguageModel, PromptBatch
from keepsight.models.decoding.passes import GrowingPasses, Passes

_INCOMPLETE = "\ufffd"


def generate(
    model: LanguageModel,
    batch: PromptBatch,
    end_ids: frozenset[int],
    max_new_tokens: int,
    *,
    rows: ScoreAccumulator | None = None,
    draft: Draft | None = None,
    cache: Cache | None = None,
    compiled: CompiledDecoder | None = None,
) -> Iterator[list[list[int]]]:
    """Generate greedily after prompts.

    Logits of a prompt are made for its last position only. The token last generated is not fed back, except with
    `rows` when it is the only one (see `attention_rows`).

    Args:
        model: the language model.
        batch: prompts, at least one.
        end_ids: ids that end a reply; the one met is yielded, too.
        max_new_tokens: most tokens of a reply, 1 or more.
        rows: takes the attention rows of the tokens fed back.
        draft: guesses what comes next, for a batch of one; guesses are checked, so they change the speed only.
        cache: keys and values of what stands before the prompts.
        compiled: makes the passes after the prompts, in place of the decoder as it is.

    Yields:
        After each pass, the new ids of each prompt; none for those that have ended.
    """
    num_guesses = 0 if draft is None else draft.num_guesses
    logits, cache = model.read(batch, max_new_tokens + num_guesses, cache)
    passes: Passes = GrowingPasses(model, batch, cache)
    if compiled is not None:
        passes = compiled.begin(batch, cache, max_new_tokens, num_guesses)
    state = _Replies(passes, len(batch), end_ids, max_new_tokens, model.device)
    try:
        yield state.take([[token] for token in logits.argmax(dim=-1).tolist()])
        while not state.all_ended:
            guess = draft.guess(state.replies[0], state.room(0)) if draft is not None and len(batch) == 1 else []
            yield state.take(state.feed(guess, rows))
        if rows is not None:
            state.feed_single(rows)
    finally:
        passes.release()


class _Replies:
    """Replies in work: what has been generated after each prompt."""

    def __init__(
        self, passes: Passes, num_replies: int, end_ids: frozenset[int], max_new_tokens: int, device: torch.device
    ) -> None:
        self._passes, self._device = passes, device
        self._end_ids, self._max_new_tokens = end_ids, max_new_tokens
        self._ended = [False] * num_replies
        self.replies: list[list[int]] = [[] for _ in range(num_replies)]

    @property
    def all_ended(self) -> bool:
        return all(self._ended)

    def room(self, row: int) -> int:
        """Tokens that a reply may still get."""
        return self._max_new_tokens - len(self.replies[row])

    def take(self, new: Sequence[Sequence[int]]) -> list[list[int]]:
        """Add ids to the replies that have not ended, up to their end."""
        added: list[list[int]] = []
        for row, ids in enumerate(new):
            taken: list[int] = []
            for token in [] if self._ended[row] else ids:
                taken.append(token)
                if token in self._end_ids or len(self.replies[row]) + len(taken) == self._max_new_tokens:
                    self._ended[row] = True
                    break
            self.replies[row] += taken
            added.append(taken)
        return added

    def feed(self, guess: Sequence[int], rows: ScoreAccumulator | None) -> list[list[int]]:
        """Feed back the last token of each reply, and for a single one what is guessed to follow; what comes next."""
        last = [reply[-1] for reply in self.replies]  # of a reply that has ended its end again, which counts nothing
        ids = [[last[0], *guess]] if guess else [[token] for token in last]
        predicted, weights = self._pass(ids, rows)
        if not guess:
            if rows is not None:
                rows.commit(weights, [int(not ended) for ended in self._ended])
            return [row[-1:] for row in predicted]
        right = _num_right(guess, predicted[0])
        if right < len(guess):
            self._passes.take_back(len(guess) - right)
        # An end among the right guesses is where the reply stops; what was fed after it, and itself, has no row.
        ends = [place for place, token in enumerate(guess[:right]) if token in self._end_ids]
        if rows is not None:
            rows.commit(weights, [1 + (ends[0] if ends else right)])
        return [[*guess[:right], predicted[0][right]]]

    def feed_single(self, rows: ScoreAccumulator) -> None:
        """Feed replies of one token back, so that they have a row."""
        single = [int(len(reply) == 1) for reply in self.replies]
        if any(single):
            rows.commit(self._pass([[reply[-1]] for reply in self.replies], rows)[1], single)

    def _pass(self, ids: list[list[int]], rows: ScoreAccumulator | None) -> tuple[list[list[int]], Tensor | None]:
        """The favourite next token after each of the tokens fed, and their attention rows if they are wanted."""
        rule = None if rows is None else rows.rule
        predicted, weights = self._passes.feed(torch.tensor(ids, device=self._device), rule)
        return predicted.tolist(), weights


def _num_right(guess: Sequence[int], predicted: Sequence[int]) -> int:
    """How many guesses, from the first on, are what the model says itself."""
    for place, (guessed, said) in enumerate(zip(guess, predicted, strict=False)):
        if guessed != said:
            return place
    return len(guess)


def single_reply(new_ids: Iterator[list[list[int]]]) -> Iterator[int]:
    """Ids of a batch of one, one after another."""
    for rows in new_ids:
        yield from rows[0]


def stream_text(token_ids: Iterator[int], decode: Callable[[Sequence[int]], str]) -> Iterator[str]:
    """Text in pieces, as soon as it cannot change any more; joined, the pieces are the stripped text of all ids.

    A character of several bytes may take several tokens, and decodes to U+FFFD until the last of them is there; such
    an ending is held back, and so is white space, which is only text if more follows.

    Args:
        token_ids: ids as they are generated.
        decode: text of a list of ids, without special tokens.
    """
    seen: list[int] = []
    emitted = ""
    for token_id in token_ids:
        seen.append(token_id)
        text = decode(seen).lstrip()
        stable = text.rstrip(_INCOMPLETE).rstrip()
        if len(stable) > len(emitted) and stable.startswith(emitted):
            yield stable[len(emitted) :]
            emitted = stable
    text = decode(seen).strip()
    if len(text) > len(emitted) and text.startswith(emitted):
        yield text[len(emitted) :]
