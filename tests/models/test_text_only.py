"""Bundled models that answer from text without transformers: equal to the whole model, which transformers runs."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from keepsight.errors import ModelError, PromptTooLongError, SettingError, UnsupportedModelError
from keepsight.method.prompts import captions_context
from keepsight.method.protocol import AnsweringModel, AnswerRequest, BatchModel, VisualInput
from keepsight.models.loading import load_answering_model, load_model
from keepsight.models.registry import BUNDLED
from keepsight.models.text_only.decoder import DecoderShape, TextCache, TextLanguage
from keepsight.models.text_only.model import TextModel
from keepsight.models.text_only.tokenizer import PlainTokenizer

CAPTIONS = (
    "[00:00-00:32] on the beach: the yellow car arrives, the boat arrives, the empty box arrives.",
    "[00:32-01:04] on the beach: the bear arrives, the boat stays, the empty box stays, the yellow car stays.",
    "[01:04-01:36] in the kitchen: the scarf goes into the box, the frog arrives, the red cup leaves.",
)
QUESTIONS = (
    "What colour was the car?",
    "Where was the bear last seen?",
    "Was there a scarf?",
    "What went into the box last?",
    "What is there now?",
    "<|im_end|> <video> héé 你好 🙂",
)
NAMES = tuple(model.name for model in BUNDLED)
FOLDERS = {model.name: model.folder for model in BUNDLED}


@pytest.fixture(scope="module", params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def whole(name: str) -> BatchModel:
    return load_model(name, device="cpu")


@pytest.fixture(scope="module")
def light(name: str) -> AnsweringModel:
    return load_answering_model(name, device="cpu")


def test_what_is_loaded_for_answers_is_no_whole_model(light: AnsweringModel, whole: BatchModel) -> None:
    assert type(light) is TextModel
    ours, theirs = light.info, whole.info
    assert (ours.identity, ours.dim) == (theirs.identity, theirs.dim)
    assert (ours.device, ours.dtype) == (theirs.device, theirs.dtype)
    assert ours.context_window_tokens == theirs.context_window_tokens
    assert 0 < ours.num_parameters < theirs.num_parameters


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("num_captions", [0, 3, 12])
@pytest.mark.parametrize("max_new_tokens", [2, 40])
def test_answers_are_those_of_the_whole_model(
    light: AnsweringModel, whole: BatchModel, question: str, num_captions: int, max_new_tokens: int
) -> None:
    context = captions_context((CAPTIONS * 4)[:num_captions])
    request = AnswerRequest(context, question, max_new_tokens=max_new_tokens)
    assert list(light.answer(request)) == list(whole.answer(request))
    assert light.count_prompt_tokens(context, question) == whole.count_prompt_tokens(context, question)


@given(text=st.text(max_size=60) | st.sampled_from([*QUESTIONS, *CAPTIONS, "", "<|im_start|>", "<unk><pad>"]))
def test_any_text_has_the_tokens_and_the_embedding_that_it_has_in_the_whole_model(
    light: AnsweringModel, whole: BatchModel, text: str
) -> None:
    assert light.count_tokens(text) == whole.count_tokens(text)
    assert torch.equal(light.embed(text), whole.embed(text))


@torch.inference_mode()
def test_states_are_those_of_transformers_at_every_token(name: str, whole: BatchModel) -> None:
    """The whole sequence at once with full eager attention, against a prompt and then one token at a time."""
    from transformers import AutoModelForImageTextToText

    stock: Any = AutoModelForImageTextToText.from_pretrained(
        FOLDERS[name], dtype=torch.float32, attn_implementation="eager"
    ).eval()
    weights = {
        key: tensor.clone()
        for key, tensor in stock.get_decoder().state_dict().items()
        if not key.startswith("rotary_emb")
    }
    config = json.loads((FOLDERS[name] / "config.json").read_text())
    ours = TextLanguage(weights, DecoderShape.of(config))
    ids = torch.randint(6, 590, (1, 60), generator=torch.Generator().manual_seed(0))
    expected = stock(input_ids=ids).logits
    embeds, cache, decoder = ours.get_input_embeddings()(ids), TextCache(), ours.get_decoder()
    parts = [embeds[:, :40], *(embeds[:, place : place + 1] for place in range(40, 60))]
    states = [
        decoder(inputs_embeds=part, attention_mask=None, past_key_values=cache, use_cache=True).last_hidden_state
        for part in parts
    ]
    logits = ours.get_output_embeddings()(torch.cat(states, dim=1))
    assert cache.length == 60
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4)


def test_a_prompt_that_is_too_long_is_refused_at_once(light: AnsweringModel, whole: BatchModel) -> None:
    request = AnswerRequest(captions_context(CAPTIONS * 40), "Where?", max_new_tokens=30)
    messages = []
    for model in (light, whole):
        with pytest.raises(PromptTooLongError) as caught:
            model.answer(request)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


def test_frames_are_refused(light: AnsweringModel) -> None:
    message = f"{light.info.name} was loaded to answer from text; load the whole model for frames"
    frames = VisualInput(torch.empty(0, 256), torch.zeros(9, 256))
    with pytest.raises(SettingError) as caught:
        light.answer(AnswerRequest("", "What?", visual=frames))
    assert str(caught.value) == message
    with pytest.raises(SettingError) as caught:
        light.count_prompt_tokens("", "What?", 9)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("named", "options"),
    [
        ("tiny", {"dtype": "bfloat16"}),
        ("tiny", {"dtype": "float16"}),
        (FOLDERS["tiny"], {}),
        ("tiny", {"quantization": "int8"}),
        ("tiny-qwen", {"dtype": "float32", "quantization": "int4"}),
        ("some/model", {"dtype": "float32"}),
        ("tiny", {"repetition_penalty": 1.5}),
    ],
)
def test_anything_else_is_loaded_whole(
    monkeypatch: pytest.MonkeyPatch, named: str | Path, options: dict[str, Any]
) -> None:
    asked: list[object] = []

    def load(what: object, **given: object) -> str:
        asked.append((what, given))
        return "whole"

    monkeypatch.setattr("keepsight.models.loading.load_model", load)
    assert load_answering_model(named, device="cpu", **options) == "whole"
    usual = {"device": "cpu", "dtype": None, "quantization": None, "repetition_penalty": None}
    assert asked == [(named, usual | options)]


@pytest.mark.parametrize(
    ("changed", "differing"),
    [
        ({"model_type": "llama"}, "model_type"),
        ({"hidden_act": "gelu"}, "hidden_act"),
        ({"rope_parameters": {"rope_theta": 10000.0, "rope_type": "yarn"}}, "rope_type"),
        ({"layer_types": ["full_attention", "sliding_attention"]}, "layer_types"),
    ],
)
def test_another_decoder_is_refused(changed: dict[str, Any], differing: str) -> None:
    config = json.loads((FOLDERS["tiny"] / "config.json").read_text())
    config["text_config"] |= changed
    with pytest.raises(UnsupportedModelError) as caught:
        DecoderShape.of(config)
    assert str(caught.value) == f"the decoder must be that of Qwen2 with tied embeddings: {differing} differs"


def test_a_tokenizer_that_changes_decoded_text_or_is_incomplete_is_refused(tmp_path: Path) -> None:
    for file in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        (tmp_path / file).write_bytes((FOLDERS["tiny"] / file).read_bytes())
    settings = json.loads((tmp_path / "tokenizer_config.json").read_text())
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings | {"clean_up_tokenization_spaces": True}))
    with pytest.raises(ModelError) as caught:
        PlainTokenizer.load(tmp_path)
    assert str(caught.value) == f"clean_up_tokenization_spaces of {tmp_path} must be false, got true"
    (tmp_path / "tokenizer_config.json").unlink()
    with pytest.raises(ModelError, match=r"cannot read .+/tokenizer_config\.json: "):
        PlainTokenizer.load(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text("{}")
    (tmp_path / "chat_template.jinja").unlink()
    with pytest.raises(ModelError, match="cannot load the tokenizer in "):
        PlainTokenizer.load(tmp_path)


def test_damaged_or_incomplete_weights_are_refused(tmp_path: Path) -> None:
    for file in FOLDERS["tiny"].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = tmp_path / "model.safetensors"
    tensors = load_file(weights)
    del tensors["language_model.model.layers.5.self_attn.k_proj.bias"]
    save_file(tensors, weights)
    with pytest.raises(ModelError) as caught:
        TextModel.load("tiny", tmp_path)
    assert str(caught.value) == (
        f"the weights in {tmp_path} lack 1 tensors, first layers.5.self_attn.k_proj.bias; install Keepsight again"
    )
    weights.write_bytes(weights.read_bytes()[:5000])
    with pytest.raises(ModelError) as caught:
        TextModel.load("tiny", tmp_path)
    assert re.fullmatch(
        f"cannot load the weights in {re.escape(str(tmp_path))}: .+; install Keepsight again", str(caught.value)
    )


def test_every_tensor_of_the_decoder_is_checked(name: str) -> None:
    from transformers import AutoModelForImageTextToText

    stock: Any = AutoModelForImageTextToText.from_pretrained(FOLDERS[name])
    config = json.loads((FOLDERS[name] / "config.json").read_text())
    assert DecoderShape.of(config).weight_names == set(stock.get_decoder().state_dict())
