"""Greedy decoding, one token at a time over a growing cache, and text that streams out of it."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

_INCOMPLETE = "\ufffd"


def greedy_tokens(
    model: Any,
    prompt_embeds: Tensor,
    end_ids: frozenset[int],
    max_new_tokens: int,
    *,
    feed_single: bool = False,
    position_ids: Tensor | None = None,
) -> Iterator[int]:
    """Generate greedily after a prompt given as embeddings.

    Logits are made for the last position only. The token last generated is not fed back, except with `feed_single`
    when it is the only one (see `attention_rows`).

    Args:
        model: a transformers model with a language head and a key-value cache.
        prompt_embeds: `[1, length, dim]`.
        end_ids: ids that end the reply; the one met is yielded, too.
        max_new_tokens: most tokens to generate, 1 or more.
        feed_single: feed a reply of one token back once.
        position_ids: int64 `[1, length]` of the prompt, rising; the reply goes on after the last. None is 0, 1, 2 ...

    Yields:
        Token ids in order.
    """
    with torch.inference_mode():
        reply = model(
            inputs_embeds=prompt_embeds,
            use_cache=True,
            logits_to_keep=1,
            **({} if position_ids is None else _whole_prompt(position_ids)),
        )
    for count in range(1, max_new_tokens + 1):
        token = reply.logits[0, -1].argmax()
        token_id = int(token)
        is_last = token_id in end_ids or count == max_new_tokens
        yield token_id
        if is_last and not (feed_single and count == 1):
            return
        with torch.inference_mode():
            reply = model(
                input_ids=token.view(1, 1),
                past_key_values=reply.past_key_values,
                use_cache=True,
                logits_to_keep=1,
                **({} if position_ids is None else {"position_ids": position_ids[:, -1:] + count}),
            )
        if is_last:
            return


def _whole_prompt(position_ids: Tensor) -> dict[str, Tensor]:
    """Arguments for positions with gaps. Without a mask, gaps can be taken for the seams of packed sequences."""
    return {"position_ids": position_ids, "attention_mask": torch.ones_like(position_ids)}


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
