"""Text that streams out of token ids."""

from collections.abc import Iterator, Sequence

from hypothesis import example, given
from hypothesis import strategies as st

from keepsight.models.decoding.replies import stream_text
from tests.models.random_model import byte_tokenizer

TOKENIZER = byte_tokenizer()


def decode(ids: Sequence[int]) -> str:
    return str(TOKENIZER.decode(list(ids), skip_special_tokens=True))


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
@example("où est le 🐕 ?")
@example("  a \n\n b  ")
@example("")
def test_pieces_join_to_the_text_and_never_show_half_a_character(text: str) -> None:
    ids = TOKENIZER(text, add_special_tokens=False)["input_ids"]
    pieces = list(stream_text(iter(ids), decode))
    assert "".join(pieces) == text.strip()
    assert all(pieces)
    if "\ufffd" not in text:
        assert not any("\ufffd" in piece for piece in pieces)


@given(st.lists(st.integers(0, len(TOKENIZER) - 1), max_size=30))
def test_any_ids_join_to_their_decoded_text(ids: list[int]) -> None:
    assert "".join(stream_text(iter(ids), decode)) == decode(ids).strip()


def test_a_piece_is_there_as_soon_as_its_token_is() -> None:
    fed: list[int] = []

    def ids() -> Iterator[int]:
        for token in TOKENIZER("ab", add_special_tokens=False)["input_ids"]:
            fed.append(token)
            yield token

    pieces = stream_text(ids(), decode)
    assert next(pieces) == "a"
    assert len(fed) == 1
