"""Greedy decoding over a growing cache: batched prompts, or one with speculative drafts.

Drafts come from earlier texts: speculative decoding (arXiv 2211.17192) by prompt lookup.

Captions of one scene repeat each other. If the last tokens of the reply occur in an earlier caption, its continuation
is drafted; the model then verifies several tokens in one pass, at little more than the cost of one. Rejected drafts are
taken back, so the reply is always the greedy one.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from keepsight.models.cancellation import check_cancelled
from keepsight.models.decoding.attention_rows import ScoreAccumulator
from keepsight.models.decoding.language_model import LanguageModel, PromptBatch
from keepsight.models.decoding.passes import GrowingPasses, Passes
from keepsight.models.decoding.repetition import SeenTokens, penalised
from keepsight.models.finite import NOT_FINITE, greedy_ids, not_finite

if TYPE_CHECKING:
    from transformers import Cache

    from keepsight.models.decoding.compiled_passes import CompiledDecoder

LONGEST_MATCH = 4
"""Maximum number of trailing tokens to look up."""


class Draft:
    """Drafts a reply's continuation from earlier replies and from the reply itself.

    Args:
        earlier: token ids of earlier replies, newest last.
        num_guesses: maximum draft length.
    """

    def __init__(self, earlier: Sequence[Sequence[int]], num_guesses: int = 7) -> None:
        self._earlier = [list(ids) for ids in reversed(earlier)]
        self.num_guesses = num_guesses

    def guess(self, reply: Sequence[int], room: int) -> list[int]:
        """Draft of at most `room - 1` tokens, since the model adds one; empty without a match.

        The longest match wins, then the newest text, then the last occurrence.
        """
        most = min(self.num_guesses, room - 1)
        if most < 1:
            return []
        for length in range(min(LONGEST_MATCH, len(reply)), 0, -1):
            ending = list(reply[-length:])
            for text in (list(reply[:-1]), *self._earlier):
                place = _last_place(text, ending)
                if place is not None and place < len(text):
                    return text[place : place + most]
        return []


def _last_place(text: Sequence[int], ending: Sequence[int]) -> int | None:
    """Index after the last occurrence of the ending in a text that is followed by anything."""
    length = len(ending)
    for end in range(len(text) - 1, length - 1, -1):
        if list(text[end - length : end]) == list(ending):
            return end
    return None


_INCOMPLETE = "\ufffd"


def generate(
    model: LanguageModel,
    batch: PromptBatch,
    end_ids: frozenset[int],
    max_new_tokens: int,
    *,
    rows: ScoreAccumulator | None = None,
    draft: Draft | None = None,
    cache: "Cache | None" = None,
    compiled: "CompiledDecoder | None" = None,
) -> Iterator[list[list[int]]]:
    """Generate greedily after prompts.

    Logits of a prompt are computed for its last position only. The last generated token is not fed back, except with
    `rows` if it is the only one (see `attention_rows`).

    Args:
        model: the language model.
        batch: prompts, at least one.
        end_ids: ids that end a reply; the end id is yielded, too.
        max_new_tokens: token limit of a reply, at least 1.
        rows: collects attention rows of fed tokens.
        draft: drafts continuations for a batch of one; drafts are verified, so they affect speed only.
        cache: cache of what precedes the prompts.
        compiled: compiled decoder for the passes after the prompts.

    Raises:
        WorkCancelledError: the work was cancelled; polled before each pass.
        ModelError: the logits of an unfinished reply are NaN or infinite.

    Yields:
        After each pass, the new ids of each prompt; none for those that have ended.
    """
    check_cancelled()
    num_guesses = 0 if draft is None else draft.num_guesses
    logits, cache = model.read(batch, max_new_tokens + num_guesses, cache)
    passes: Passes = GrowingPasses(model, batch, cache)
    if compiled is not None:
        passes = compiled.begin(batch, cache, max_new_tokens, num_guesses)
    seen = None
    if model.repetition_penalty != 1:
        seen = SeenTokens(batch, logits.shape[-1], model.repetition_penalty)
    state = _Replies(passes, len(batch), end_ids, max_new_tokens, model, seen)
    try:
        yield state.take([[token] for token in state.choose(logits)])
        while not state.all_ended:
            check_cancelled()
            guess = draft.guess(state.replies[0], state.room(0)) if draft is not None and len(batch) == 1 else []
            yield state.take(state.feed(guess, rows))
        if rows is not None:
            state.feed_single(rows)
    finally:
        passes.release()


class _Replies:
    """Replies in progress."""

    def __init__(
        self,
        passes: Passes,
        num_replies: int,
        end_ids: frozenset[int],
        max_new_tokens: int,
        model: LanguageModel,
        seen: SeenTokens | None,
    ) -> None:
        self._passes, self._device, self._dtype = passes, model.device, model.dtype
        self._end_ids, self._max_new_tokens, self._seen = end_ids, max_new_tokens, seen
        self._ended = [False] * num_replies
        self.replies: list[list[int]] = [[] for _ in range(num_replies)]

    @property
    def all_ended(self) -> bool:
        return all(self._ended)

    def room(self, row: int) -> int:
        """Tokens that a reply may still get."""
        return self._max_new_tokens - len(self.replies[row])

    def choose(self, logits: Tensor) -> list[int]:
        """First token of each reply, from the prompts' logits `[batch, vocabulary]`."""
        if self._seen is None:
            return greedy_ids(logits).tolist()
        nothing_fed = torch.zeros(len(logits), 1, dtype=torch.int64, device=logits.device)
        return greedy_ids(penalised(logits, self._seen.factors(nothing_fed)[:, 0])).tolist()

    def take(self, new: Sequence[Sequence[int]]) -> list[list[int]]:
        """Append ids to unfinished replies, up to their end.

        Raises:
            ModelError: an id is `NOT_FINITE`.
        """
        added: list[list[int]] = []
        for row, ids in enumerate(new):
            taken: list[int] = []
            for token in [] if self._ended[row] else ids:
                if token == NOT_FINITE:
                    raise not_finite("logits", self._dtype)
                taken.append(token)
                if token in self._end_ids or len(self.replies[row]) + len(taken) == self._max_new_tokens:
                    self._ended[row] = True
                    break
            self.replies[row] += taken
            if self._seen is not None:
                self._seen.add(row, taken)
            added.append(taken)
        return added

    def feed(self, guess: Sequence[int], rows: ScoreAccumulator | None) -> list[list[int]]:
        """Feed back each reply's last token, and the draft for a single reply; return the new ids."""
        last = [reply[-1] for reply in self.replies]  # a finished reply repeats its end, which has no effect
        ids = [[last[0], *guess]] if guess else [[token] for token in last]
        predicted, weights = self._pass(ids, rows)
        if not guess:
            if rows is not None:
                rows.commit(weights, [int(not ended) for ended in self._ended])
            return [row[-1:] for row in predicted]
        right = _num_right(guess, predicted[0])
        if right < len(guess):
            self._passes.take_back(len(guess) - right)
        # A reply stops at an end id among accepted drafts; from there on tokens have no row.
        ends = [place for place, token in enumerate(guess[:right]) if token in self._end_ids]
        if rows is not None:
            rows.commit(weights, [1 + (ends[0] if ends else right)])
        return [[*guess[:right], predicted[0][right]]]

    def feed_single(self, rows: ScoreAccumulator) -> None:
        """Feed back one-token replies, so that they have a row."""
        single = [int(len(reply) == 1) for reply in self.replies]
        if any(single):
            rows.commit(self._pass([[reply[-1]] for reply in self.replies], rows)[1], single)

    def _pass(self, ids: list[list[int]], rows: ScoreAccumulator | None) -> tuple[list[list[int]], Tensor | None]:
        """Argmax next token after each fed token, and attention rows if requested."""
        rule = None if rows is None else rows.rule
        fed = torch.tensor(ids, device=self._device)
        factors = None if self._seen is None else self._seen.factors(fed)
        predicted, weights = self._passes.feed(fed, rule, factors)
        return predicted.tolist(), weights


def _num_right(guess: Sequence[int], predicted: Sequence[int]) -> int:
    """Number of leading drafts that match the model's own tokens."""
    for place, (guessed, said) in enumerate(zip(guess, predicted, strict=False)):
        if guessed != said:
            return place
    return len(guess)


def single_reply(new_ids: Iterator[list[list[int]]]) -> Iterator[int]:
    """Ids of a batch of one, one at a time."""
    for rows in new_ids:
        yield from rows[0]


def stream_text(token_ids: Iterator[int], decode: Callable[[Sequence[int]], str]) -> Iterator[str]:
    """Stream text as soon as it is final; the pieces join to the stripped text of all ids.

    A multi-byte character may take several tokens, and decodes to U+FFFD until complete; such an ending is held back,
    and so is trailing white space.

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
