"""Initial word vectors: words of a kind resemble each other.

With purely random vectors, a small decoder must learn noun by noun what a noun is. With one part shared by all nouns,
and another by all colours, "attend to things" is one direction from the first step.
"""

import torch
from torch import Tensor

from keepsight.toyworld.tokenizer import build_tokenizer
from keepsight.toyworld.vocabulary import COLOURS, COUNT_WORDS, NOUNS, PLACES

KIND_SHARE = 0.4
"""Share of a vector's squared length shared by its kind."""

KINDS: dict[str, tuple[str, ...]] = {
    "thing": NOUNS,
    "colour": tuple(COLOURS),
    "place": tuple(PLACES),
    "fixture": tuple(PLACES.values()),
    "box": ("box", "empty", "closed", "open"),
    "verb": ("arrives", "returns", "leaves", "stays", "moves", "goes", "comes", "hides"),
    "count": COUNT_WORDS,
    "pair of digits": tuple(f"{number:02d}" for number in range(100)),
    "digit": tuple("0123456789"),
    "article": ("a", "an", "the"),
    "answer": ("yes", "no"),
}


def kind_of(word: str) -> str | None:
    """Kind of a word, if any."""
    return next((kind for kind, words in KINDS.items() if word in words), None)


def bare(token: str) -> str:
    """A vocabulary token without the mark for the preceding space."""
    return token.removeprefix("\u2581")


def start_vectors(dim: int, generator: torch.Generator) -> Tensor:
    """Vectors `[vocabulary, dim]` of unit variance; a word with and without the preceding space nearly agree."""
    by_id = {token_id: token for token, token_id in build_tokenizer().get_vocab().items()}
    kinds = {kind: torch.randn(dim, generator=generator) for kind in KINDS}
    own: dict[str, Tensor] = {}
    rows = []
    for token_id in range(len(by_id)):
        word = bare(by_id[token_id])
        vector = own.setdefault(word, torch.randn(dim, generator=generator))
        kind = kind_of(word)
        if kind is not None:
            vector = (1 - KIND_SHARE) ** 0.5 * vector + KIND_SHARE**0.5 * kinds[kind]
        spaced = 0.9**0.5 * vector + 0.1**0.5 * torch.randn(dim, generator=generator)
        rows.append(spaced)
    return torch.stack(rows)


def cell_vectors(num_cells: int, dim: int) -> Tensor:
    """Position parts of visual tokens: fixed orthonormal vectors `[num_cells, dim]`.

    Things are listed row by row. "The next one after the cat" is found only if the cat's token tells its place: rotary
    positions tell a token's distance from the word being generated, not from the cat.
    """
    columns: Tensor = torch.linalg.qr(torch.randn(dim, num_cells, generator=torch.Generator().manual_seed(9)))[0]
    return columns.T.contiguous()
