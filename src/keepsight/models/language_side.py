"""The text part of a video model, for methods that work on keys and values themselves."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from keepsight.models.decoding.language_model import LanguageModel
from keepsight.models.prompting.chat import ChatPrompts


@dataclass(frozen=True, eq=False)
class LanguageSide:
    """An adapter's language model and prompts. Weights are shared with the adapter.

    Attributes:
        language: decoder, head and input embeddings.
        prompts: makes token ids of a user's text.
        end_ids: ids that end a reply.
        decode: text of a list of ids, without special tokens.
        separator: `[num_tokens, dim]`, embeddings after the last visual token of a prompt.
    """

    language: LanguageModel
    prompts: ChatPrompts
    end_ids: frozenset[int]
    decode: Callable[[Sequence[int]], str]
    separator: Tensor

    @property
    def decoder(self) -> Any:
        """Decoder layers without the language head."""
        return self.language.decoder
