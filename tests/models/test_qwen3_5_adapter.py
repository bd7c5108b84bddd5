"""Two kinds of layers: which score, what a batch's padding leaves in the state, and what the states take of memory."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from keepsight.errors import SettingError
from keepsight.method.protocol import DescribeRequest, ScoreRule, VisualInput
from keepsight.models import footprint
from keepsight.models.adapter import VideoAdapter
from keepsight.models.adapters.qwen3_5 import Qwen35Adapter
from keepsight.models.adapters.qwen3_5_moe import Qwen35MoeAdapter
from keepsight.models.checkpoint import load_config
from keepsight.models.decoding.language_model import PromptBatch
from keepsight.models.loading import load_model
from keepsight.settings import DESCRIBE_PROMPT
from tests.models.arch_qwen3_5 import Qwen35
from tests.models.arch_qwen3_5_moe import Qwen35Moe
from tests.models.architecture import Stock, random_frames
from tests.models.live_bytes import LiveBytes


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> VideoAdapter:
    loaded = load_model(Qwen35().write(tmp_path_factory.mktemp("model"), num_layers=6), device="cpu")
    assert isinstance(loaded, VideoAdapter)
    return loaded


def test_only_layers_with_full_attention_score(model: VideoAdapter) -> None:
    assert model.info.score_layers == (2, 4)  # the paper's 5, 9, 14 and 20 of 28 are 1, 2, 3 and 4 of 6
    tokens = model.encode(random_frames(2))
    clip = VisualInput(tokens[:0], tokens, token_grid=(2, 4))
    message = r"score_layers must be distinct layers out of \[2, 4, 6\], which have full attention, got \[3\]"
    with pytest.raises(SettingError, match=message):
        load_model(model.info.name, device="cpu", score_layers=(3,))
    with pytest.raises(SettingError, match=r"got \[1\]"):
        model.describe(clip, DescribeRequest(max_new_tokens=2, scoring=ScoreRule((1,))))


def test_all_layers_are_those_that_can_score(model: VideoAdapter) -> None:
    architecture = Qwen35()
    frames = random_frames(3)
    tokens = model.encode(frames)
    clip = VisualInput(tokens[:0], tokens, token_grid=(2, 4))
    scores = model.describe(clip, DescribeRequest(max_new_tokens=1, scoring=ScoreRule("all"))).scores
    stock = Stock(architecture, Path(model.info.name))
    prompt = stock.prompt(DESCRIBE_PROMPT, 0, frames)
    expected = stock.scores(prompt, tokens, stock.reply(prompt, tokens, 1), (2, 4, 6))
    torch.testing.assert_close(scores.double(), expected, rtol=1e-5, atol=1e-8)


def test_padding_leaves_nothing_in_the_states(model: VideoAdapter) -> None:
    """After a prompt of a padded batch, each layer's states are those of the prompt alone."""
    prompts = []
    for num_frames in (1, 6, 3):
        tokens = model.encode(random_frames(num_frames, seed=num_frames))
        ids = model._prompts.ids("describe", with_video=True)
        prompts.append(model._builder.build(ids, VisualInput(tokens[:0], tokens, token_grid=(2, 4)), 4))
    batch = PromptBatch.of(prompts)
    assert batch.mask is not None
    filled = batch.embeds.masked_fill(batch.mask.unsqueeze(2) == 0, 1.0)  # zeros would leave nothing by themselves
    logits, together = model._language.read(replace(batch, embeds=filled), 4)
    assert len({len(prompt) for prompt in prompts}) == 3
    for row, prompt in enumerate(prompts):
        alone_logits, alone = model._language.read(PromptBatch.of([prompt]), 4)
        torch.testing.assert_close(logits[row], alone_logits[0], rtol=1e-4, atol=1e-5)
        for layer in (0, 2, 4):
            for kind in ("conv_states", "recurrent_states"):
                mixed, single = (state_of(cache, layer, kind) for cache in (together, alone))
                torch.testing.assert_close(mixed[row], single[0], rtol=1e-4, atol=1e-5)
                assert float(single.abs().max()) > 1e-3


def state_of(cache: Any, layer: int, kind: str) -> Tensor:
    state: Tensor = getattr(cache.layers[layer], kind)[0]
    return state


def test_compiled_passes_are_refused(model: VideoAdapter) -> None:
    message = "Qwen3_5ForConditionalGeneration cannot be compiled: not all its layers are causal attention"
    with pytest.raises(SettingError, match=message):
        load_model(model.info.name, device="cpu", compile_passes=True)


def working_memory(model: VideoAdapter) -> tuple[int, int]:
    """Bytes alive at once while a clip is described with as much memory, and the tokens of its prompt and reply."""
    tokens = model.encode(random_frames(16))
    clip = VisualInput(tokens, tokens, token_grid=(2, 4))
    request = DescribeRequest(max_new_tokens=8)
    with LiveBytes() as describing:
        model.describe(clip, request)
    without_memory = model.info.context_window_tokens - model.max_memory_tokens(len(tokens), request, like=clip)
    return describing.peak, len(tokens) + without_memory


WIDER = [
    {},
    {"linear_key_head_dim": 16},
    {"linear_value_head_dim": 32},
    {"linear_num_value_heads": 8},
    {"linear_num_value_heads": 2, "linear_key_head_dim": 64},
]


@pytest.mark.parametrize("sizes", WIDER, ids=str)
def test_working_memory_is_computed_closely(tmp_path: Path, sizes: dict[str, int]) -> None:
    class Wide(Qwen35):
        def config(self, tokenizer: Any, num_layers: int, window: int) -> Any:
            config = super().config(tokenizer, num_layers, window)
            config.text_config.update(sizes)
            return config

    model = load_model(Wide().write(tmp_path, num_layers=4), device="cpu")
    assert isinstance(model, VideoAdapter)
    shape = Qwen35Adapter.shape(load_config(tmp_path), {})
    measured, length = working_memory(model)
    computed = footprint.key_value_bytes(shape, length, 4) + footprint.decoder_activation_bytes(shape, length, 4)
    assert 0.9 * computed < measured <= 1.05 * computed
    linear = [module for module in model._language.decoder.modules() if isinstance(module, torch.nn.Linear)]
    assert shape.num_linear_weights == sum(module.weight.numel() for module in linear)


def test_keys_values_and_states_are_counted_exactly(model: VideoAdapter) -> None:
    tokens = model.encode(random_frames(3))
    ids = model._prompts.ids("describe", with_video=True)
    prompt = model._builder.build(ids, VisualInput(tokens[:0], tokens, token_grid=(2, 4)), 4)
    cache: Any = model._language.read(PromptBatch.of([prompt]), 0)[1]
    held = [tensor for layer in (1, 3, 5) for tensor in (cache.layers[layer].keys, cache.layers[layer].values)]
    held += [state_of(cache, layer, kind) for layer in (0, 2, 4) for kind in ("conv_states", "recurrent_states")]
    shape = Qwen35Adapter.shape(model._model.config, {})
    assert footprint.key_value_bytes(shape, len(prompt), 4) == sum(tensor.nbytes for tensor in held)


@pytest.mark.parametrize("sizes", [{}, {"num_experts_per_tok": 4, "hidden_size": 192}], ids=["states", "experts"])
def test_working_memory_with_experts_is_computed_closely(tmp_path: Path, sizes: dict[str, int]) -> None:
    """The widest point is linear attention, or with more experts a token's copies for them."""

    class Wide(Qwen35Moe):
        def config(self, tokenizer: Any, num_layers: int, window: int) -> Any:
            config = super().config(tokenizer, num_layers, window)
            config.text_config.update(sizes)
            config.vision_config.out_hidden_size = config.text_config.hidden_size
            return config

    model = load_model(Wide().write(tmp_path, num_layers=4), device="cpu")
    assert isinstance(model, VideoAdapter)
    shape = Qwen35MoeAdapter.shape(load_config(tmp_path), {})
    assert shape.num_parameters == model.info.num_parameters
    measured, length = working_memory(model)
    computed = footprint.key_value_bytes(shape, length, 4) + footprint.decoder_activation_bytes(shape, length, 4)
    assert 0.9 * computed < measured <= 1.05 * computed
