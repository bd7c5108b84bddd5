"""What Gemma 3 alone has: layers with a sliding window, and memory that stands as pictures."""

from collections.abc import Iterator

import pytest
import torch
from transformers import Gemma3Config

from keepsight.errors import ModelError, SettingError
from keepsight.method.protocol import DescribeRequest, ScoreRule
from keepsight.models.adapters.gemma3 import Gemma3Adapter
from keepsight.models.layers import scale_layers, whole_layers
from keepsight.models.loading import load_model
from keepsight.settings import DESCRIBE_PROMPT
from tests.models.arch_gemma3 import TOKENS, WINDOW, Gemma3
from tests.models.architecture import random_frames
from tests.models.contract_pair import Pair


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """The model is so small that threads would only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    architecture = Gemma3()
    return Pair(architecture, architecture.write(tmp_path_factory.mktemp("model"), num_layers=6))


def test_scores_come_from_layers_that_see_everything(pair: Pair) -> None:
    assert pair.model.info.score_layers == (2, 4)  # sliding, full, sliding ...; the paper's would be 1, 2, 3, 4
    frames = random_frames(2 * WINDOW // TOKENS)  # a clip longer than the window
    visual = pair.shown(pair.memory(2), frames)
    reply, _ = pair.expected(visual, frames)
    prompt = pair.stock.prompt(DESCRIBE_PROMPT, 2, frames)
    tokens = torch.cat([visual.memory, visual.tokens])
    described = pair.model.describe(visual, DescribeRequest(max_new_tokens=8, scoring=ScoreRule("all")))
    expected = pair.stock.scores(prompt, tokens, reply, (2, 4, 6))
    torch.testing.assert_close(described.scores.double(), expected, rtol=1e-5, atol=1e-8)


def test_layers_with_a_window_are_refused(pair: Pair) -> None:
    visual = pair.shown(pair.nothing, random_frames(1))
    message = r"distinct layers out of \[2, 4, 6\], which have full attention"
    with pytest.raises(SettingError, match=message):
        pair.model.describe(visual, DescribeRequest(scoring=ScoreRule((3,))))
    with pytest.raises(SettingError, match=message):
        load_model(pair.folder, device="cpu", score_layers=(1, 2))
    assert load_model(pair.folder, device="cpu", score_layers=(6,)).info.score_layers == (6,)


@pytest.mark.parametrize(
    ("num_layers", "expected"),
    [(26, (6, 12, 18)), (34, (6, 12, 18, 24)), (48, (6, 12, 24, 36)), (62, (12, 18, 30, 42))],
)
def test_the_layers_of_the_published_sizes(num_layers: int, expected: tuple[int, ...]) -> None:
    """Every sixth layer sees everything; of these the nearest to the paper's are taken."""
    assert scale_layers(num_layers, range(6, num_layers + 1, 6)) == expected


def test_a_model_that_slides_everywhere_is_refused() -> None:
    config = Gemma3().config(Gemma3().tokenizer(), 2, 64).get_text_config()
    config.layer_types = ["sliding_attention"] * 2
    with pytest.raises(ModelError, match="no decoder layer has full attention, and scores need one"):
        whole_layers(config)
    config.layer_types = None
    with pytest.raises(ModelError, match="no decoder layer has full attention, and scores need one"):
        whole_layers(config)
    config.sliding_window = None
    assert whole_layers(config) == (1, 2)


def test_a_remembered_picture_is_no_larger_than_a_picture(pair: Pair) -> None:
    prompt = pair.stock.prompt(DESCRIBE_PROMPT, 2 * TOKENS + 1, random_frames(1))
    assert [len(block) for block in prompt.blocks] == [TOKENS, TOKENS, 1, TOKENS]
    for num_memory, num_pictures in ((1, 2), (TOKENS, 2), (TOKENS + 1, 3), (2 * TOKENS + 1, 4)):
        counted = pair.model.count_prompt_tokens("", "Where?", TOKENS, num_memory_tokens=num_memory)
        alone = pair.model.count_prompt_tokens("", "Where?", TOKENS)
        assert counted - alone == num_memory + (num_pictures - 1) * 3  # marks, and one run of line breaks


def test_the_sizes_of_the_published_4b_model() -> None:
    """Sizes from transformers' conversion script for `gemma-3-4b-it`."""
    config = Gemma3Config(
        text_config={
            "vocab_size": 262_208,
            "hidden_size": 2560,
            "intermediate_size": 10_240,
            "num_hidden_layers": 34,
            "num_attention_heads": 8,
            "num_key_value_heads": 4,
        },
        vision_config={
            "hidden_size": 1152,
            "intermediate_size": 4304,
            "num_hidden_layers": 27,
            "num_attention_heads": 16,
            "image_size": 896,
            "patch_size": 14,
            "vision_use_head": False,
        },
    )
    shape = Gemma3Adapter.shape(config, {})
    assert shape.token_grid == (16, 16)
    assert shape.tokens_per_step == config.mm_tokens_per_image
    assert shape.patches_per_frame == 4096
    assert 4.2e9 < shape.num_parameters < 4.4e9
    assert Gemma3Adapter.scored_layers(config) == (6, 12, 18, 24)
