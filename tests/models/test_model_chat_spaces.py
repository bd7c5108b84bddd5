"""Tokenizers that put a space before texts, as Llama's do: same ids as the whole prompt in one piece."""

from typing import Literal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from keepsight.models.prompting.chat import ChatPrompts, VideoPlace
from tests.models.arch_gemma3 import Gemma3
from tests.models.arch_llava_next_video import CONTROLS, TEMPLATE
from tests.models.word_tokenizer import word_tokenizer

Marks = Literal["none", "first", "each-run"]
MARKS: tuple[Marks, ...] = ("none", "first", "each-run")
TOKENIZERS = {
    marks: word_tokenizer(CONTROLS, TEMPLATE, eos="</s>", pad="<pad>", bos="<s>", space_marks=marks) for marks in MARKS
}
WORDS = st.lists(st.sampled_from(["dog", "cat", " ", "\n", "\n\n", "?", "7", "  "]), max_size=8).map("".join)


@pytest.mark.parametrize("marks", MARKS)
@pytest.mark.parametrize("with_video", [False, True])
@given(text=WORDS)
@example(text="")
@example(text=" dog ")
@example(text="\n\ndog")
def test_a_text_has_the_ids_of_the_whole_prompt(marks: Marks, with_video: bool, text: str) -> None:
    tokenizer = TOKENIZERS[marks]
    ids = ChatPrompts(tokenizer, VideoPlace("<video>")).ids(text, with_video=with_video)
    video = "<video>\n" if with_video else ""
    whole = tokenizer(f"USER: {video}{text} ASSISTANT:")["input_ids"]
    video_ids = [tokenizer.get_vocab()["<video>"]] if with_video else []
    assert [*ids.before, *video_ids, *ids.after] == whole


@pytest.mark.parametrize("marks", MARKS)
def test_a_prompt_begins_with_one_beginning(marks: Marks) -> None:
    tokenizer = TOKENIZERS[marks]
    ids = ChatPrompts(tokenizer, VideoPlace("<video>")).ids("dog", with_video=True)
    assert [*ids.before, *ids.after].count(tokenizer.bos_token_id) == 1
    assert ids.before[0] == tokenizer.bos_token_id


def test_a_beginning_from_the_template_is_not_doubled() -> None:
    tokenizer = Gemma3().tokenizer()
    assert tokenizer("dog")["input_ids"][0] == tokenizer.bos_token_id
    ids = ChatPrompts(tokenizer, VideoPlace("<start_of_image>", "image")).ids("dog", with_video=False)
    assert ids.before.count(tokenizer.bos_token_id) == 1


def test_the_end_of_a_turn_is_known_where_the_template_has_one() -> None:
    tokenizer = Gemma3().tokenizer()
    prompts = ChatPrompts(tokenizer, VideoPlace("<start_of_image>", "image"))
    assert prompts.turn_end_ids == {tokenizer.get_vocab()["<end_of_turn>"]}
    assert ChatPrompts(TOKENIZERS["first"], VideoPlace("<video>")).turn_end_ids == set()
