"""Scores against full eager attention by transformers' own path."""

import json
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from keepsight.errors import ModelError, SettingError
from keepsight.method.protocol import DescribeRequest, VisualInput
from keepsight.models.decoding.attention_rows import RowRule, ScoreAccumulator, row_weights
from keepsight.models.layers import check_layers, scale_layers
from keepsight.models.loading import load_model
from keepsight.settings import DESCRIBE_PROMPT
from tests.models.random_model import ModelFolder
from tests.models.stock_model import StockModel, random_frames

SHAPES = [
    pytest.param({"num_layers": 2, "num_heads": 4, "num_key_value_heads": 4}, id="2-layers-no-groups"),
    pytest.param({"num_layers": 4, "num_heads": 4, "num_key_value_heads": 2}, id="4-layers-groups-of-2"),
    pytest.param({"num_layers": 6, "num_heads": 7, "num_key_value_heads": 1}, id="6-layers-groups-of-7"),
    pytest.param({"num_layers": 3, "num_heads": 14, "num_key_value_heads": 2, "grid": 4}, id="3-layers-14-over-2"),
]
NEW_TOKENS = 12


def top_set(scores: torch.Tensor) -> set[int]:
    """The 6.25 % of tokens that the paper keeps."""
    return set(scores.topk(max(1, len(scores) // 16)).indices.tolist())


def with_memory(tokens: torch.Tensor, num_memory_tokens: int) -> torch.Tensor:
    """Memory of that many tokens that are not the clip's."""
    generator = torch.Generator().manual_seed(7)
    return torch.randn(num_memory_tokens, tokens.shape[1], generator=generator) * tokens.std()


@pytest.mark.parametrize("memory_share", [0, 1], ids=["empty-memory", "full-memory"])
@pytest.mark.parametrize("sizes", SHAPES)
def test_scores_equal_full_eager_attention(model_folder: ModelFolder, sizes: dict[str, int], memory_share: int) -> None:
    folder = model_folder(**sizes)
    model, stock = load_model(folder), StockModel(folder)
    tokens = model.encode(random_frames(16))
    memory = with_memory(tokens, memory_share * len(tokens))

    description = model.describe(VisualInput(memory, tokens), DescribeRequest(max_new_tokens=NEW_TOKENS))

    ids = stock.prompt_ids(DESCRIBE_PROMPT, len(memory) + len(tokens) + 1)
    embeds = stock.embeds(ids, torch.cat([memory, tokens]))
    reply = stock.generate(NEW_TOKENS, inputs_embeds=embeds)
    assert description.caption == stock.tokenizer.decode(reply, skip_special_tokens=True).strip()
    assert description.num_caption_tokens == len(reply)
    placeholders = (ids[0] == stock.video_id).nonzero().flatten().tolist()
    columns = placeholders[len(memory) : -1]  # neither memory nor the newline at the end
    for oracle in (stock.scores, stock.scores_over_cache):
        expected = oracle(embeds, reply, model.info.score_layers, columns)
        torch.testing.assert_close(description.scores.double(), expected, rtol=1e-5, atol=0)
        assert top_set(description.scores) == top_set(expected)
    shifted = stock.scores(embeds, reply, model.info.score_layers, [column + 1 for column in columns])
    assert not torch.allclose(description.scores.double(), shifted, rtol=1e-2)
    assert description.scores.dtype == torch.float32


def test_without_memory_describing_is_the_stock_path_from_pixels(model_folder: ModelFolder) -> None:
    """The model itself encodes the pixels, appends the newline and expands the placeholders."""
    folder = model_folder()
    model, stock = load_model(folder), StockModel(folder)
    tokens = model.encode(random_frames(16))
    description = model.describe(VisualInput(tokens[:0], tokens), DescribeRequest(max_new_tokens=NEW_TOKENS))

    pixels = torch.from_numpy(stock_pixels(folder, 16))
    ids = stock.prompt_ids(DESCRIBE_PROMPT, len(tokens) + 1)
    reply = stock.generate(NEW_TOKENS, input_ids=ids, attention_mask=torch.ones_like(ids), pixel_values_videos=pixels)
    assert description.caption == stock.tokenizer.decode(reply, skip_special_tokens=True).strip()

    features = stock.model.get_video_features(pixels).pooler_output[0]
    torch.testing.assert_close(tokens, features[:-1], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(features[-1], stock.model.model.image_newline.detach())


def stock_pixels(folder: Path, num_frames: int) -> Any:
    """Pixels by transformers' image processor with the PIL backend, `[1, num_frames, 3, height, width]`."""
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

    settings = json.loads((folder / "preprocessor_config.json").read_text())
    processor = SiglipImageProcessorPil(resample=3, **settings)
    return processor(random_frames(num_frames), return_tensors="np")["pixel_values"][None]


def test_a_caption_of_one_token_is_scored_by_that_token_fed_back(model_folder: ModelFolder, tmp_path: Path) -> None:
    folder = tmp_path / "ends_at_once"
    shutil.copytree(model_folder(), folder)
    settings = json.loads((folder / "generation_config.json").read_text())
    vocab_size = json.loads((folder / "config.json").read_text())["text_config"]["vocab_size"]
    (folder / "generation_config.json").write_text(json.dumps(settings | {"eos_token_id": list(range(vocab_size))}))
    model, stock = load_model(folder), StockModel(model_folder())
    tokens = model.encode(random_frames(4))
    description = model.describe(VisualInput(tokens[:0], tokens))
    assert description.num_caption_tokens == 1

    ids = stock.prompt_ids(DESCRIBE_PROMPT, len(tokens) + 1)
    embeds = stock.embeds(ids, tokens)
    reply = stock.generate(1, inputs_embeds=embeds)
    columns = (ids[0] == stock.video_id).nonzero().flatten().tolist()[:-1]
    expected = stock.scores(embeds, reply, model.info.score_layers, columns)
    torch.testing.assert_close(description.scores.double(), expected, rtol=1e-5, atol=0)


def test_other_layers_give_the_scores_of_those_layers(model_folder: ModelFolder) -> None:
    folder = model_folder()
    model, stock = load_model(folder, score_layers=(4, 2)), StockModel(folder)
    assert model.info.score_layers == (2, 4)
    tokens = model.encode(random_frames(4))
    description = model.describe(VisualInput(tokens[:0], tokens), DescribeRequest(max_new_tokens=NEW_TOKENS))
    ids = stock.prompt_ids(DESCRIBE_PROMPT, len(tokens) + 1)
    embeds = stock.embeds(ids, tokens)
    reply = stock.generate(NEW_TOKENS, inputs_embeds=embeds)
    columns = (ids[0] == stock.video_id).nonzero().flatten().tolist()[:-1]
    expected = stock.scores(embeds, reply, (2, 4), columns)
    torch.testing.assert_close(description.scores.double(), expected, rtol=1e-5, atol=0)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_bfloat16_scores_are_near_those_of_float32_for_the_same_caption(model_folder: ModelFolder, seed: int) -> None:
    folder = model_folder(seed=seed)
    model, exact = load_model(folder, dtype="bfloat16"), StockModel(folder)
    half = StockModel(folder, attention="sdpa", dtype=torch.bfloat16)
    tokens = model.encode(random_frames(16))
    description = model.describe(VisualInput(tokens[:0], tokens), DescribeRequest(max_new_tokens=NEW_TOKENS))
    assert description.scores.dtype == torch.float32

    ids = exact.prompt_ids(DESCRIBE_PROMPT, len(tokens) + 1)
    reply = half.generate(NEW_TOKENS, inputs_embeds=half.embeds(ids, tokens))
    assert description.caption == half.tokenizer.decode(reply, skip_special_tokens=True).strip()
    columns = (ids[0] == exact.video_id).nonzero().flatten().tolist()[:-1]
    expected = exact.scores(exact.embeds(ids, tokens.float()), reply, model.info.score_layers, columns)
    difference = (description.scores.double() - expected).abs().sum() / expected.sum()
    assert difference < 0.02
    assert len(top_set(description.scores) & top_set(expected)) >= len(top_set(expected)) - 1


class LargestTensor(TorchDispatchMode):
    """Notes the largest number of elements of any tensor that an operation returns."""

    def __init__(self) -> None:
        super().__init__()
        self.num_elements = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for value in result if isinstance(result, tuple | list) else [result]:
            if isinstance(value, torch.Tensor):
                self.num_elements = max(self.num_elements, value.numel())
        return result


def test_nothing_of_length_by_length_is_made(model_folder: ModelFolder) -> None:
    folder = model_folder()
    model, stock = load_model(folder), StockModel(folder)
    tokens = model.encode(random_frames(64))
    with LargestTensor() as ours:
        model.describe(VisualInput(tokens, tokens), DescribeRequest(max_new_tokens=4))
    length = 2 * len(tokens)
    assert ours.num_elements < length**2 / 4
    ids = stock.prompt_ids(DESCRIBE_PROMPT, length + 1)
    embeds = stock.embeds(ids, torch.cat([tokens, tokens]))
    with LargestTensor() as full:
        stock.scores(embeds, [1, 2], model.info.score_layers, [1])
    assert full.num_elements > length**2  # the check sees the matrix where there is one


def test_descriptions_side_by_side_do_not_mix(model_folder: ModelFolder) -> None:
    model = load_model(model_folder())
    clips = [model.encode(random_frames(4, seed=seed)) for seed in range(4)]
    request = DescribeRequest(max_new_tokens=NEW_TOKENS)
    alone = [model.describe(VisualInput(clip[:0], clip), request).scores for clip in clips]
    together: dict[int, torch.Tensor] = {}

    def describe(index: int) -> None:
        clip = clips[index]
        together[index] = model.describe(VisualInput(clip[:0], clip), request).scores

    threads = [threading.Thread(target=describe, args=(index,)) for index in range(len(clips))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for index, scores in enumerate(alone):
        assert torch.equal(together[index], scores)


@pytest.mark.parametrize("mask", ["none", "boolean", "additive"])
def test_row_weights_by_definition(mask: str) -> None:
    generator = torch.Generator().manual_seed(3)
    query = torch.randn(1, 6, 1, 8, generator=generator)
    key = torch.randn(1, 2, 50, 8, generator=generator)
    visible = torch.arange(50) >= 9  # left padding
    masks = {
        "none": None,
        "boolean": visible.view(1, 1, 1, 50),
        "additive": torch.where(visible, 0.0, -1e30).view(1, 1, 1, 50),
    }
    weights = row_weights(query, key, masks[mask], 0.3, slice(5, 40))
    logits = torch.einsum("hd,hkd->hk", query[0, :, 0].double(), key[0].double().repeat_interleave(3, dim=0)) * 0.3
    if mask != "none":
        logits[:, ~visible] = -torch.inf
    torch.testing.assert_close(weights[0, 0].double(), logits.softmax(-1).mean(0)[5:40], rtol=1e-5, atol=1e-9)


def test_float16_products_of_large_queries_do_not_overflow() -> None:
    query = torch.full((1, 1, 1, 128), 40.0, dtype=torch.float16)
    key = torch.full((1, 1, 10, 128), 40.0, dtype=torch.float16)  # unscaled: 204,800, above float16's 65,504
    weights = row_weights(query, key, None, 128**-0.5, slice(0, 10))
    torch.testing.assert_close(weights, torch.full((1, 1, 10), 0.1))


def test_an_accumulator_without_rows_says_so() -> None:
    columns = [torch.arange(4)]
    accumulator = ScoreAccumulator(RowRule.covering((1,), "mean", columns), columns)
    with pytest.raises(ModelError, match="no attention row"):
        accumulator.scores()
    with pytest.raises(ModelError, match="does not run"):
        accumulator.commit(None, [1])


@pytest.mark.parametrize(
    ("num_layers", "expected"), [(28, (5, 9, 14, 20)), (24, (4, 8, 12, 17)), (6, (1, 2, 3, 4)), (1, (1,)), (2, (1,))]
)
def test_layers_scale_with_depth(num_layers: int, expected: tuple[int, ...]) -> None:
    assert scale_layers(num_layers) == expected


@pytest.mark.parametrize("layers", [(), (0,), (1, 5), (2, 2)])
def test_impossible_layers_are_refused(layers: tuple[int, ...]) -> None:
    with pytest.raises(SettingError, match="score_layers"):
        check_layers(layers, range(1, 5))
