"""The part of a video model that reads text: what a method needs that works on keys and values itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from keepsight.models.decoding.language_model import LanguageModel
from keepsight.models.prompting.chat import ChatPrompts


@dataclass(frozen=True, eq=False)
class LanguageSide:
    """The language model of an adapter with its prompts. The weights are shared with the adapter, not copied.

    Attributes:
        language: decoder, head and input embeddings.
        prompts: makes token ids of a user's text.
        end_ids: ids that end a reply.
        decode: text of a list of ids, without special tokens.
        separator: `[num_tokens, dim]`, embeddings that stand after the last visual token of a prompt.
    """

    language: LanguageModel
    prompts: ChatPrompts
    end_ids: frozenset[int]
    decode: Callable[[Sequence[int]], str]
    separator: Tensor

    @property
    def decoder(self) -> Any:
        """The stack of decoder layers without the language head."""
        return self.language.decoder
