"""Key-value retrieval against plain prompts, transformers' own path, and a float64 model without any cache."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from keepsight.bench.baselines.kv_retrieval import KeyValueBlock, before_attention, nearest_frames, turn_keys
from keepsight.bench.baselines.kv_stream import KeyValueModel, KeyValueSettings, KeyValueStream
from keepsight.errors import PromptTooLongError, SettingError
from keepsight.method.prompts import question_text
from keepsight.method.protocol import AnswerRequest, DescribeRequest, VisualInput
from keepsight.models.adapters.llava_onevision import LlavaOnevisionAdapter
from keepsight.models.footprint import ModelShape, key_value_bytes
from keepsight.models.loading import load_model
from tests.models.random_model import ModelFolder
from tests.models.stock_model import StockModel, random_frames

QUESTION = "Where is the dog now?"
NEW_TOKENS = 12
SHAPES = [
    pytest.param({"num_layers": 2, "num_heads": 4, "num_key_value_heads": 4}, id="no-groups"),
    pytest.param({"num_layers": 4, "num_heads": 4, "num_key_value_heads": 2}, id="groups-of-2"),
    pytest.param({"num_layers": 3, "num_heads": 7, "num_key_value_heads": 1, "grid": 4}, id="groups-of-7"),
]


def encoded(model: Any, num_frames: int, seed: int = 0) -> list[Tensor]:
    """Visual tokens of random frames, `[tokens_per_step, dim]` each."""
    return list(model.encode(random_frames(num_frames, seed)).split(model.info.tokens_per_step))


def stream_of(model: Any, frames: list[Tensor], **settings: int) -> KeyValueStream:
    stream = KeyValueStream(model, KeyValueSettings(**settings))
    for tokens in frames:
        stream.see(tokens)
    return stream


def answer(stream: KeyValueStream, question: str = QUESTION) -> str:
    return "".join(stream.answer(question, max_new_tokens=NEW_TOKENS))


Past = list[tuple[Tensor, Tensor]]
"""Per layer: keys before rotation and values, float64 `[num_tokens, num_key_value_heads, head_dim]`."""


@dataclass
class Definition:
    """The method by definition: float64, one token and head at a time, rotation by complex numbers, no cache class."""

    stock: StockModel
    chosen: list[tuple[int, ...]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.stock.model.double()
        self.decoder: Any = self.stock.model.model.language_model
        self.width = self.decoder.layers[0].self_attn.head_dim

    def run(self, embeds: Tensor, past_of: Callable[[int, Tensor], list[tuple[Tensor, Tensor]]]) -> tuple[Tensor, Past]:
        """Last hidden states and each layer's own keys and values; `past_of` gets a layer and its queries."""
        own: Past = []
        hidden = embeds.double()
        for index, layer in enumerate(self.decoder.layers):
            attention, entering = layer.self_attn, layer.input_layernorm(hidden)
            queries, new_keys, new_values = (
                projection(entering).view(len(entering), -1, self.width)
                for projection in (attention.q_proj, attention.k_proj, attention.v_proj)
            )
            own.append((new_keys, new_values))
            past = [*past_of(index, queries), (new_keys, new_values)]
            keys, values = (torch.cat([block[part] for block in past]) for part in (0, 1))
            hidden = hidden + attention.o_proj(self.attend(queries, keys, values))
            hidden = hidden + layer.mlp(layer.post_attention_layernorm(hidden))
        return self.decoder.norm(hidden), own

    def attend(self, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        num_past, num_heads = len(keys) - len(queries), queries.shape[1]
        turned_keys, turned_queries = self.turn(keys, 0), self.turn(queries, num_past)
        rows = []
        for row in range(len(queries)):
            seen = num_past + row + 1
            for head in range(num_heads):
                source = head * keys.shape[1] // num_heads
                products = turned_keys[:seen, source] @ turned_queries[row, head] / self.width**0.5
                rows.append(products.softmax(0) @ values[:seen, source])
        return torch.stack(rows).view(len(queries), -1)

    def turn(self, vectors: Tensor, first: int) -> Tensor:
        half = self.width // 2
        base = self.stock.model.config.text_config.rope_parameters["rope_theta"]
        speeds = base ** (-torch.arange(half, dtype=torch.float64) / half)
        angles = (torch.arange(len(vectors)) + first)[:, None] * speeds
        pairs = torch.complex(vectors[..., :half], vectors[..., half:])
        turned = pairs * torch.polar(torch.ones_like(angles), angles)[:, None]
        return torch.cat([turned.real, turned.imag], dim=-1)

    def watch(self, opening: Tensor, frames: list[Tensor], window_frames: int) -> tuple[Past, list[Past]]:
        start = self.run(opening, lambda _, __: [])[1]
        seen: list[Past] = []
        for tokens in frames:
            visible = [start, *seen[max(0, len(seen) - window_frames) :]]

            def retrieve(layer: int, _: Tensor, blocks: Sequence[Past] = visible) -> list[tuple[Tensor, Tensor]]:
                return [block[layer] for block in blocks]

            seen.append(self.run(tokens, retrieve)[1])
        return start, seen

    def choose(self, words: Tensor, start: Past, seen: list[Past], count: int) -> None:
        def retrieve(layer: int, queries: Tensor) -> list[tuple[Tensor, Tensor]]:
            keys = [block[layer][0] for block in seen]
            groups = queries.shape[1] // keys[0].shape[1]
            question = queries.mean(dim=0).flatten()
            means = [key.mean(dim=0).repeat_interleave(groups, dim=0).flatten() for key in keys]
            cosines = [float(mean @ question / mean.norm() / question.norm()) for mean in means]
            best = sorted(range(len(seen)), key=lambda index: -cosines[index])[:count]
            self.chosen.append(tuple(sorted(best)))
            return [start[layer], *(seen[index][layer] for index in sorted(best))]

        self.run(words, retrieve)

    def reply(self, prompt: Tensor, start: Past, seen: list[Past]) -> list[int]:
        def past_of(layer: int, _: Tensor) -> list[tuple[Tensor, Tensor]]:
            return [start[layer], *(seen[index][layer] for index in self.chosen[layer])]

        ids: list[int] = []
        while len(ids) < NEW_TOKENS and ids[-1:] != [self.stock.tokenizer.eos_token_id]:
            logits = self.stock.model.lm_head(self.run(prompt, past_of)[0][-1])
            ids.append(int(logits.argmax()))
            prompt = torch.cat([prompt, self.embed(ids[-1:])])
        return ids

    def embed(self, ids: list[int]) -> Tensor:
        return self.decoder.embed_tokens(torch.tensor(ids))


@pytest.mark.parametrize("sizes", SHAPES)
@torch.no_grad()
def test_window_choice_and_answer_are_those_of_the_definition(model_folder: ModelFolder, sizes: dict[str, int]) -> None:
    window_frames, retrieved_frames = 2, 3
    folder = model_folder(**sizes)
    model, definition = load_model(folder), Definition(StockModel(folder))
    frames = encoded(model, 6)
    stream = stream_of(model, frames, window_frames=window_frames, retrieved_frames=retrieved_frames)

    stock = definition.stock
    ids = stock.prompt_ids(question_text("", QUESTION), 1)[0].tolist()
    place = ids.index(stock.video_id)
    start, seen = definition.watch(definition.embed(ids[:place]), frames, window_frames)
    for block, expected in zip(stream.frames, seen, strict=True):
        for layer, (keys, values) in enumerate(expected):
            torch.testing.assert_close(block.keys[layer].transpose(0, 1).double(), keys, rtol=1e-3, atol=1e-4)
            torch.testing.assert_close(block.values[layer].transpose(0, 1).double(), values, rtol=1e-3, atol=1e-4)

    words = stock.tokenizer(QUESTION, add_special_tokens=False)["input_ids"]
    definition.choose(definition.embed(words), start, seen, retrieved_frames)
    assert stream.retrieve(QUESTION).frames == tuple(definition.chosen)

    prompt = torch.cat([stock.model.model.image_newline[None], definition.embed(ids[place + 1 :])])
    reply = definition.reply(prompt, start, seen)
    assert answer(stream) == stock.tokenizer.decode(reply, skip_special_tokens=True).strip()


@pytest.mark.parametrize("num_frames", [1, 5])
@pytest.mark.parametrize("sizes", SHAPES)
def test_a_video_that_fits_is_answered_as_by_the_plain_prompt(
    model_folder: ModelFolder, sizes: dict[str, int], num_frames: int
) -> None:
    folder = model_folder(**sizes)
    model, stock = load_model(folder), StockModel(folder)
    frames = encoded(model, num_frames)
    stream = stream_of(model, frames, window_frames=num_frames, retrieved_frames=num_frames)
    visual = torch.cat(frames)
    assert answer(stream) == "".join(
        model.answer(AnswerRequest("", QUESTION, VisualInput(visual[:0], visual), max_new_tokens=NEW_TOKENS))
    )

    ids = stock.prompt_ids(question_text("", QUESTION), len(visual) + 1)
    embeds = stock.embeds(ids, visual)
    newline = int((ids[0] == stock.video_id).nonzero()[-1])
    with torch.inference_mode():
        expected = stock.model(inputs_embeds=embeds).logits[:, newline:]
        cache = stream.retrieve(QUESTION).cache
        assert cache.get_seq_length() == newline
        logits = stock.model(inputs_embeds=embeds[:, newline:], past_key_values=cache).logits
    torch.testing.assert_close(logits, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("window_frames", [0, 1, 2])
def test_a_frame_is_felt_one_window_further_in_each_layer(model_folder: ModelFolder, window_frames: int) -> None:
    model = load_model(model_folder(num_layers=4))
    frames = encoded(model, 8)
    changed = [encoded(model, 1, seed=9)[0], *frames[1:]]
    before = stream_of(model, frames, window_frames=window_frames).frames
    after = stream_of(model, changed, window_frames=window_frames).frames
    for frame in range(8):
        for layer in range(4):
            same = torch.equal(before[frame].keys[layer], after[frame].keys[layer])
            assert same == (frame > layer * window_frames), (frame, layer)


@pytest.mark.parametrize(("dtype", "itemsize"), [("float32", 4), ("float16", 2)])
def test_a_frame_takes_the_bytes_that_the_formula_says(model_folder: ModelFolder, dtype: str, itemsize: int) -> None:
    folder = model_folder(num_layers=3, num_heads=7, num_key_value_heads=1, grid=4)
    model = load_model(folder, dtype=dtype)
    shape = LlavaOnevisionAdapter.shape(StockModel(folder).model.config, {})
    stream = stream_of(model, encoded(model, 5), window_frames=2)
    floats = 2 * 3 * 1 * 8 * 4  # keys and values, layers, key heads, width of a head, tokens
    assert key_value_bytes(shape, shape.tokens_per_step, itemsize) == floats * itemsize
    assert all(block.values.nbytes * 2 == block.num_bytes == floats * itemsize for block in stream.frames)


@pytest.mark.parametrize(
    ("num_layers", "num_heads", "num_key_value_heads", "head_dim", "gib_per_hour"),
    [(28, 28, 4, 128, 18.8), (24, 14, 2, 64, 4.0)],
    ids=["7B", "0.5B"],
)
def test_an_hour_at_half_a_frame_a_second_takes_what_the_paper_reports(
    num_layers: int, num_heads: int, num_key_value_heads: int, head_dim: int, gib_per_hour: float
) -> None:
    shape = ModelShape(
        num_parameters=1,
        num_layers=num_layers,
        hidden_size=num_heads * head_dim,
        num_heads=num_heads,
        num_key_value_heads=num_key_value_heads,
        head_dim=head_dim,
        intermediate_size=1,
        vocab_size=1,
        vision_hidden_size=1152,
        vision_intermediate_size=4304,
        frame_height=384,
        frame_width=384,
        patches_per_frame=729,
        token_grid=(14, 14),
    )
    assert shape.tokens_per_step == 196
    assert 1800 * key_value_bytes(shape, shape.tokens_per_step, 2) / 2**30 == pytest.approx(gib_per_hour, abs=0.05)


@pytest.mark.parametrize("first", [0, 1, 700])
def test_turned_keys_are_those_that_the_model_computes_at_the_new_positions(
    model_folder: ModelFolder, first: int
) -> None:
    folder = model_folder(num_layers=2)
    model, stock = load_model(folder), StockModel(folder)
    (tokens,) = encoded(model, 1)
    decoder: Any = stock.model.model.language_model
    positions = torch.arange(first, first + len(tokens))[None]
    with torch.inference_mode():
        mask = torch.ones(1, len(tokens))
        passed = decoder(inputs_embeds=tokens[None], position_ids=positions, attention_mask=mask, use_cache=True)
        plain = decoder.layers[0].self_attn.k_proj(decoder.layers[0].input_layernorm(tokens))
        keys = plain.view(1, len(tokens), 2, 8).transpose(1, 2)
        assert torch.equal(turn_keys(decoder, keys, first), passed.past_key_values.layers[0].keys)


def test_the_adapter_is_the_same_before_and_after(model_folder: ModelFolder) -> None:
    model: Any = load_model(model_folder())
    frames = encoded(model, 4)
    clip = torch.cat(frames)

    def results() -> tuple[str, Tensor, str]:
        description = model.describe(VisualInput(clip[:3], clip), DescribeRequest(max_new_tokens=NEW_TOKENS))
        request = AnswerRequest("", QUESTION, VisualInput(clip[:0], clip), max_new_tokens=NEW_TOKENS)
        told = "".join(model.answer(request))
        return description.caption, description.scores, told

    caption, scores, told = results()
    answered = answer(stream_of(model, frames, window_frames=1, retrieved_frames=2))
    again = results()
    assert (again[0], again[2]) == (caption, told)
    assert torch.equal(again[1], scores)
    assert answer(stream_of(model, frames, window_frames=1, retrieved_frames=2)) == answered


def test_hooks_act_in_their_own_passes_only_and_come_off_after_an_error(model_folder: ModelFolder) -> None:
    model: Any = load_model(model_folder())
    stream = stream_of(model, encoded(model, 2))
    cache, decoder = stream.retrieve(QUESTION).cache, model.language_side.decoder
    layers: list[int] = []
    with before_attention(decoder, cache, lambda layer, _, __: layers.append(layer)):
        other = threading.Thread(target=answer, args=(stream,))
        other.start()
        answer(stream)
        other.join()
        assert layers == []
        decoder(inputs_embeds=torch.zeros(1, 1, model.info.dim), past_key_values=cache)
    assert layers == [0, 1, 2, 3]
    decoder(inputs_embeds=torch.zeros(1, 1, model.info.dim), past_key_values=cache)
    assert layers == [0, 1, 2, 3]

    def refuse(*_: object) -> None:
        raise KeyError

    with pytest.raises(KeyError), before_attention(decoder, cache, refuse):
        decoder(inputs_embeds=torch.zeros(1, 1, model.info.dim), past_key_values=cache)
    decoder(inputs_embeds=torch.zeros(1, 1, model.info.dim), past_key_values=cache)  # and does not raise any more


def test_a_hook_that_is_half_on_leaves_a_pass_of_another_thread_alone(
    model_folder: ModelFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Torch puts a hook on in two steps; between them it calls the hook of a pass that goes on without `kwargs`."""
    model: Any = load_model(model_folder())
    cache, decoder = stream_of(model, encoded(model, 2)).retrieve(QUESTION).cache, model.language_side.decoder
    put_on, hooks = torch.nn.Module.register_forward_pre_hook, []

    def record(module: torch.nn.Module, hook: Any, **options: Any) -> Any:
        hooks.append(hook)
        return put_on(module, hook, **options)

    monkeypatch.setattr(torch.nn.Module, "register_forward_pre_hook", record)
    layers: list[int] = []
    with before_attention(decoder, cache, lambda layer, _, __: layers.append(layer)):
        assert [hook(decoder, ()) for hook in hooks] == [None] * len(decoder.layers)
    assert layers == []


def test_an_answer_is_about_what_was_seen_when_it_was_asked(model_folder: ModelFolder) -> None:
    model = load_model(model_folder())
    frames = encoded(model, 4)
    expected = answer(stream_of(model, frames[:2]))
    stream = stream_of(model, frames[:2])
    pieces = stream.answer(QUESTION, max_new_tokens=NEW_TOKENS)
    for tokens in frames[2:]:
        stream.see(tokens)
    assert "".join(pieces) == expected
    assert len(stream.frames) == 4


def test_before_the_first_frame_a_question_is_answered_blind(model_folder: ModelFolder) -> None:
    model = load_model(model_folder())
    blind = "".join(model.answer(AnswerRequest("", QUESTION, max_new_tokens=NEW_TOKENS)))
    assert answer(stream_of(model, [])) == blind
    with pytest.raises(SettingError, match="no frame was watched"):
        stream_of(model, []).retrieve(QUESTION)


def test_half_precision_stays_near_full_precision(model_folder: ModelFolder) -> None:
    folder = model_folder()
    full, half = load_model(folder), load_model(folder, dtype="float16")
    frames = encoded(full, 5)
    exact = stream_of(full, frames, window_frames=2)
    rounded = stream_of(half, [tokens.half() for tokens in frames], window_frames=2)
    assert answer(rounded) != ""
    for left, right in zip(exact.frames, rounded.frames, strict=True):
        assert right.keys.dtype == right.values.dtype == torch.float16
        torch.testing.assert_close(left.keys, right.keys.float(), rtol=0.05, atol=0.05)


@given(data=st.data(), num_frames=st.integers(1, 8), width=st.integers(1, 4))
def test_the_nearest_frames_are_those_of_brute_force(data: st.DataObject, num_frames: int, width: int) -> None:
    number = st.integers(-3, 3)
    rows = data.draw(
        st.lists(st.lists(number, min_size=width, max_size=width), min_size=num_frames, max_size=num_frames)
    )
    query = data.draw(st.lists(number, min_size=width, max_size=width))
    count = data.draw(st.integers(1, num_frames))
    chosen = nearest_frames(torch.tensor(rows).float(), torch.tensor(query).float(), count)
    assert chosen == sorted(set(chosen))
    assert len(chosen) == count

    def cosine(row: list[int]) -> float:
        product = sum(a * b for a, b in zip(row, query, strict=True))
        lengths = (sum(a * a for a in row) * sum(b * b for b in query)) ** 0.5
        return product / lengths if lengths else 0.0

    worst = min(cosine(rows[index]) for index in chosen)
    assert all(cosine(rows[index]) <= worst + 1e-6 for index in range(num_frames) if index not in chosen)


def test_of_equal_frames_the_earlier_is_taken() -> None:
    assert nearest_frames(torch.ones(5, 2), torch.ones(2), 2) == [0, 1]


def test_settings_and_arguments_outside_what_is_allowed_are_refused(model_folder: ModelFolder) -> None:
    with pytest.raises(SettingError, match="window_frames must be at least 0, got -1"):
        KeyValueSettings(window_frames=-1)
    with pytest.raises(SettingError, match="retrieved_frames must be at least 1, got 0"):
        KeyValueSettings(retrieved_frames=0)
    model: Any = load_model(model_folder())
    assert isinstance(model, KeyValueModel)
    (tokens,) = encoded(model, 1)
    stream = stream_of(model, [tokens])
    with pytest.raises(SettingError, match=r"\[9, 32\], got \[8, 32\]"):
        stream.see(tokens[1:])
    with pytest.raises(SettingError, match="max_new_tokens must be at least 1, got 0"):
        stream.answer(QUESTION, max_new_tokens=0)
    with pytest.raises(SettingError, match="the question is empty"):
        stream.answer(" \n ")
    with pytest.raises(SettingError, match="keys and values must both be"):
        KeyValueBlock(torch.zeros(1, 1, 2, 4), torch.zeros(1, 1, 3, 4))


def test_window_and_prompt_are_filled_to_the_last_token_and_not_beyond(model_folder: ModelFolder) -> None:
    model = load_model(model_folder(window=128))  # an opening of 2 tokens and 13 frames are 119, with 14 frames 128
    frames = encoded(model, 14)
    assert len(stream_of(model, frames, window_frames=13).frames) == 14
    with pytest.raises(
        SettingError, match="window_frames must be 0 to 13 to fit the model's context window of 128 tokens, got 14"
    ):
        stream_of(model, [], window_frames=14)

    stream = stream_of(model, frames, window_frames=2, retrieved_frames=11)
    length = model.count_prompt_tokens("", QUESTION, 11 * 9)
    assert list(stream.answer(QUESTION, max_new_tokens=128 - length)) != []
    with pytest.raises(PromptTooLongError, match=f"11 retrieved frames has {length} tokens"):
        stream.answer(QUESTION, max_new_tokens=129 - length)


def test_the_bundled_model_answers_from_the_papers_number_of_frames() -> None:
    model = load_model("tiny")
    stream = stream_of(model, encoded(model, 70))
    retrieved = stream.retrieve("Where is the red circle?")
    assert {len(frames) for frames in retrieved.frames} == {64}
    assert "".join(stream.answer("Where is the red circle?")) != ""
