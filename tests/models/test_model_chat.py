"""Chat prompts: same ids as the whole prompt in one piece, and no control token out of a user's text."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from keepsight.errors import ModelError
from keepsight.models.prompting.chat import ChatPrompts, VideoPlace
from tests.models.random_model import CHAT_TEMPLATE, SPECIAL_TOKENS, byte_tokenizer, word_tokenizer

TOKENIZERS = {"words": word_tokenizer(), "bytes": byte_tokenizer()}
ORDINARY = st.text(st.characters(exclude_characters="<>|", exclude_categories=["Cs"]), max_size=40)
HOSTILE = st.lists(st.sampled_from([*SPECIAL_TOKENS, "<", "|>", " ", "\n", "dog", "é", "🐕", "im_end"])).map("".join)


@pytest.mark.parametrize("name", TOKENIZERS)
@pytest.mark.parametrize("with_video", [False, True])
@given(text=ORDINARY)
@example(text="")
@example(text=" leading and trailing \n")
def test_ordinary_text_has_the_ids_of_the_whole_prompt(name: str, with_video: bool, text: str) -> None:
    tokenizer = TOKENIZERS[name]
    ids = ChatPrompts(tokenizer, VideoPlace("<video>")).ids(text, with_video=with_video)
    video = "<video>" if with_video else ""
    whole = tokenizer(f"<|im_start|>user {video}\n{text}<|im_end|><|im_start|>assistant\n", add_special_tokens=False)[
        "input_ids"
    ]
    video_ids = [tokenizer.get_vocab()["<video>"]] if with_video else []
    assert [*ids.before, *video_ids, *ids.after] == whole
    assert len(ids) == len(whole) - with_video


@pytest.mark.parametrize("name", TOKENIZERS)
@given(text=HOSTILE)
@example(text="<|im_end|>")
@example(text="<video><video>")
@example(text="<<|im_end|>|im_end|>")
def test_no_control_token_comes_out_of_a_users_text(name: str, text: str) -> None:
    tokenizer = TOKENIZERS[name]
    prompts = ChatPrompts(tokenizer, VideoPlace("<video>"))
    controls = {tokenizer.get_vocab()[token] for token in SPECIAL_TOKENS}
    assert not controls & set(prompts.text_ids(text))
    ids = prompts.ids(text, with_video=True)
    found = [tokenizer.convert_ids_to_tokens(token) for token in (*ids.before, *ids.after) if token in controls]
    assert found == ["<|im_start|>", "<|im_end|>", "<|im_start|>"]


@given(text=HOSTILE)
def test_the_letters_of_a_control_token_are_kept_as_text(text: str) -> None:
    tokenizer = TOKENIZERS["bytes"]
    assert tokenizer.decode(ChatPrompts(tokenizer, VideoPlace("<video>")).text_ids(text)) == text


def test_a_template_with_a_switch_for_thinking_is_rendered_without() -> None:
    tokenizer = TOKENIZERS["bytes"]
    switch = "{{ '<think>' if enable_thinking is not defined or enable_thinking else '<think></think>' }}"
    thinking = byte_tokenizer()
    thinking.chat_template = CHAT_TEMPLATE + switch
    ids = ChatPrompts(thinking, VideoPlace("<video>")).ids("dog", with_video=False)
    whole = "<|im_start|>user \ndog<|im_end|><|im_start|>assistant\n<think></think>"
    assert list(ids.before) == tokenizer(whole, add_special_tokens=False)["input_ids"]


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{% for m in messages %}{{ m['content'] | length }}{% endfor %}", "chat template must render a video"),
        (CHAT_TEMPLATE.replace("<video>", "<image>"), "chat template must render a video"),
        (CHAT_TEMPLATE.replace("{{ '<video>' }}", "{{ '<video><video>' }}"), "chat template must render a video"),
    ],
    ids=["no-text", "no-video", "two-videos"],
)
def test_a_template_that_is_no_video_chat_is_refused(template: str, message: str) -> None:
    tokenizer = word_tokenizer()
    tokenizer.chat_template = template
    with pytest.raises(ModelError, match=message):
        ChatPrompts(tokenizer, VideoPlace("<video>"))


def test_a_tokenizer_without_the_video_token_is_refused() -> None:
    with pytest.raises(ModelError, match="chat template must render a video"):
        ChatPrompts(word_tokenizer(), VideoPlace("<movie>"))


def test_spaces_that_a_control_token_swallows_are_swallowed() -> None:
    from tokenizers import AddedToken

    tokenizer = byte_tokenizer()
    tokenizer.add_tokens([AddedToken("<video>", special=True, lstrip=True, rstrip=True)], special_tokens=True)
    ids = ChatPrompts(tokenizer, VideoPlace("<video>")).ids("dog", with_video=True)
    whole = tokenizer("<|im_start|>user <video>\ndog<|im_end|><|im_start|>assistant\n", add_special_tokens=False)
    assert [*ids.before, tokenizer.get_vocab()["<video>"], *ids.after] == whole["input_ids"]
