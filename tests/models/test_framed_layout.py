"""Layouts with text before each frame: the words are the stock processors', lengths are exact, positions by hand."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import (
    Glm4vProcessor,
    Glm46VProcessor,
    InternVLProcessor,
    Qwen3VLProcessor,
    SmolVLMProcessor,
    VideoLlama3Processor,
)
from transformers.models.smolvlm import processing_smolvlm

from keepsight.errors import PromptTooLongError, SettingError
from keepsight.method.prompts import question_text
from keepsight.method.protocol import DescribeRequest, VisualInput
from keepsight.models.adapters.smolvlm import in_words
from keepsight.models.prompting.framed_layout import step_seconds
from keepsight.models.prompting.layout import Frames, Memory, Piece, Separator
from keepsight.models.prompting.positions import GridRule, PieceShape, prompt_positions
from keepsight.settings import DESCRIBE_PROMPT
from tests.models.arch_glm4v import Glm4v
from tests.models.arch_glm4v_moe import Glm4vMoe
from tests.models.arch_internvl import InternVL
from tests.models.arch_qwen2_5_vl import Qwen25VL
from tests.models.arch_qwen3_vl import Qwen3VL
from tests.models.arch_smolvlm import SmolVLM
from tests.models.arch_video_llama_3 import VideoLlama3
from tests.models.architecture import Architecture, random_frames
from tests.models.contract_pair import Pair

PairOf = Callable[[Architecture], Pair]
FRAMED = [Glm4v(), InternVL(), Qwen3VL(), SmolVLM(), VideoLlama3()]
NUM_FRAMES = 6
HALF_A_MINUTE_APART = tuple(70.0 + 30.0 * index for index in range(NUM_FRAMES))


@pytest.fixture(scope="module")
def pair_of(tmp_path_factory: pytest.TempPathFactory) -> PairOf:
    known: dict[str, Pair] = {}

    def pair(architecture: Architecture) -> Pair:
        if str(architecture) not in known:
            known[str(architecture)] = Pair(architecture, architecture.write(tmp_path_factory.mktemp("model")))
        return known[str(architecture)]

    return pair


def qwen3_text(pair: Pair, seconds: tuple[float, ...]) -> str:
    """The processor of transformers 4.57 puts this in the place of the whole mark, that of 5 inside of it."""
    processor: Any = SimpleNamespace(
        video_token="<|video_pad|>",
        vision_start_token="<|vision_start|>",
        vision_end_token="<|vision_end|>",
        video_processor=SimpleNamespace(merge_size=2, temporal_patch_size=2),
        _calculate_timestamps=lambda *given: Qwen3VLProcessor._calculate_timestamps(processor, *given),
    )
    rows, columns = pair.model.token_grid(*random_frames(1)[0].shape[:2])
    video = {
        "video_grid_thw": torch.tensor([[NUM_FRAMES // 2, 2 * rows, 2 * columns]]),
        "video_metadata": [SimpleNamespace(fps=1.0, frames_indices=[time - seconds[0] for time in seconds])],
    }
    inside = Qwen3VLProcessor.replace_video_token(processor, video, 0)
    return f"<|im_start|>user\n{inside}{DESCRIBE_PROMPT}<|im_end|>\n<|im_start|>assistant\n"


def internvl_text(pair: Pair, seconds: tuple[float, ...]) -> str:
    processor: Any = SimpleNamespace(
        start_image_token="<img>",
        end_image_token="</img>",
        image_token="<IMG_CONTEXT>",
        image_seq_length=pair.model.info.tokens_per_step,
    )
    inside = InternVLProcessor.replace_video_token(processor, {"pixel_values_videos": [torch.empty(NUM_FRAMES)]}, 0)
    return f"<|im_start|>user\n{inside}\n{DESCRIBE_PROMPT}<|im_end|>\n<|im_start|>assistant\n"


def smolvlm_text(pair: Pair, seconds: tuple[float, ...]) -> str:
    processor: Any = SimpleNamespace(
        fake_image_token="<fake_token_around_image>",
        image_token="<image>",
        global_image_token="<global-img>",
        image_seq_len=pair.model.info.tokens_per_step,
    )
    metadata = SimpleNamespace(fps=1.0, timestamps=[time - seconds[0] for time in seconds], duration=None)
    video = {"pixel_values": torch.empty(1, NUM_FRAMES), "video_metadata": [metadata]}
    inside = SmolVLMProcessor.replace_video_token(processor, video, 0)
    return f"<|im_start|>User: {inside}{DESCRIBE_PROMPT}<end_of_utterance>\nAssistant:"


def glm_text(pair: Pair, seconds: tuple[float, ...]) -> str:
    """Of the processor that the checkpoint names."""
    assert isinstance(pair.architecture, Glm4v)
    kinds: dict[str, Any] = {"Glm46VProcessor": Glm46VProcessor, "Glm4vProcessor": Glm4vProcessor}
    kind = kinds[pair.architecture.processor_class]
    processor: Any = SimpleNamespace(image_token="<|image|>", video_processor=SimpleNamespace(merge_size=2))
    processor.replace_frame_token_id = lambda *given, **named: kind.replace_frame_token_id(processor, *given, **named)
    rows, columns = pair.model.token_grid(*random_frames(1)[0].shape[:2])
    video = {
        "video_grid_thw": torch.tensor([[NUM_FRAMES // 2, 2 * rows, 2 * columns]]),
        "video_metadata": [SimpleNamespace(fps=1.0, timestamps=[time - seconds[0] for time in seconds])],
    }
    inside = f"<|begin_of_video|>{kind.replace_video_token(processor, video, 0)}<|end_of_video|>"
    return f"[gMASK]<sop><|user|>\n{inside}{DESCRIBE_PROMPT}/nothink<|assistant|>\n<think></think>"


def video_llama_text(pair: Pair, seconds: tuple[float, ...]) -> str:
    """Of the processor without token compression."""
    processor: Any = SimpleNamespace(video_token="<|video_pad|>")
    rows, columns = pair.model.token_grid(*random_frames(1)[0].shape[:2])
    video = {
        "video_grid_thw": torch.tensor([[NUM_FRAMES, 2 * rows, 2 * columns]]),
        "video_merge_sizes": torch.tensor([2]),
        "video_compression_mask": torch.ones(NUM_FRAMES * rows * columns, dtype=torch.bool),
        "video_metadata": [SimpleNamespace(fps=1.0, timestamps=[time - seconds[0] for time in seconds])],
    }
    inside = VideoLlama3Processor.replace_video_token(processor, video, 0)
    return f"<|im_start|>user\n{inside}\n{DESCRIBE_PROMPT}<|im_end|>\n<|im_start|>assistant\n"


@pytest.mark.parametrize(
    ("architecture", "stock_text"),
    [
        (Glm4v(), glm_text),
        (Glm4vMoe(), glm_text),
        (InternVL(), internvl_text),
        (Qwen3VL(), qwen3_text),
        (SmolVLM(), smolvlm_text),
        (VideoLlama3(), video_llama_text),
    ],
    ids=["glm4v", "glm4v_moe", "internvl", "qwen3_vl", "smolvlm", "video_llama_3"],
)
def test_a_clip_without_memory_has_the_ids_of_the_stock_processors_text(
    pair_of: PairOf,
    architecture: Architecture,
    stock_text: Callable[[Pair, tuple[float, ...]], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(processing_smolvlm, "num2words", {NUM_FRAMES: "six"}.get)
    pair = pair_of(architecture)
    visual = pair.shown(pair.nothing, random_frames(NUM_FRAMES), HALF_A_MINUTE_APART)
    ids = [token for piece in pieces_of(pair, visual) for token in ids_of(piece, pair.stock.placeholder_id)]
    assert ids == pair.stock.ids(stock_text(pair, HALF_A_MINUTE_APART))


@pytest.mark.parametrize("architecture", FRAMED, ids=str)
def test_the_memory_stands_alone_before_the_first_frame(pair_of: PairOf, architecture: Architecture) -> None:
    pair = pair_of(architecture)
    visual = pair.shown(pair.memory(7), random_frames(NUM_FRAMES))
    shown = [piece for piece in pieces_of(pair, visual) if isinstance(piece, Memory | Frames)]
    assert [type(piece) for piece in shown] == [Memory] + [Frames] * pair.model.info.num_steps(NUM_FRAMES)
    assert torch.equal(shown[0].tokens, visual.memory)
    assert torch.equal(torch.cat([piece.tokens for piece in shown[1:]]), visual.tokens)


@pytest.mark.parametrize("architecture", FRAMED, ids=str)
@pytest.mark.parametrize("seconds", [(0.0, 0.1, 0.2, 0.3), (5.0, 300.0, 700.0, 40_000.0)], ids=["short", "long"])
@pytest.mark.parametrize("size", [(8, 8), (24, 40)], ids=str)
def test_lengths_are_exact_whatever_the_times_and_the_grid(
    pair_of: PairOf, architecture: Architecture, seconds: tuple[float, ...], size: tuple[int, int]
) -> None:
    pair = pair_of(architecture)
    frames = random_frames(4, height=size[0], width=size[1])
    visual = pair.shown(pair.memory(3), frames, seconds)
    length = sum(len(ids_of(piece, 0)) for piece in pieces_of(pair, visual, question_text("", "Where?")))
    counted = pair.model.count_prompt_tokens("", "Where?", len(visual.tokens), num_memory_tokens=3, like=visual)
    assert counted == length
    room = pair.model.max_memory_tokens(len(visual.tokens), DescribeRequest(max_new_tokens=4), like=visual)
    for num_memory, fits in ((room, True), (room + 1, False)):
        memory = torch.zeros(num_memory, pair.model.info.token_width)
        full = VisualInput(memory, visual.tokens, visual.token_grid, visual.frame_seconds)
        if fits:
            pair.model.describe(full, DescribeRequest(max_new_tokens=4))
        else:
            with pytest.raises(PromptTooLongError):
                pair.model.describe(full, DescribeRequest(max_new_tokens=4))


def test_qwen3s_prompt_is_that_of_the_whole_stock_model(pair_of: PairOf) -> None:
    """Token ids, grid and token types go in; transformers finds positions and DeepStack's places itself."""
    pair = pair_of(Qwen3VL())
    frames = random_frames(NUM_FRAMES)
    visual = pair.shown(pair.nothing, frames)
    prompt = pair.stock.prompt(DESCRIBE_PROMPT, 0, frames)
    ids = torch.tensor([prompt.ids])
    rows, columns = pair.model.token_grid(*frames[0].shape[:2])
    architecture = pair.architecture
    assert isinstance(architecture, Qwen25VL)
    with torch.no_grad():
        whole = pair.stock.model(
            input_ids=ids,
            mm_encoder_outputs={"video": architecture.stock_video(pair.stock, frames)},
            video_grid_thw=torch.tensor([[NUM_FRAMES // 2, 2 * rows, 2 * columns]]),
            mm_token_type_ids=2 * (ids == pair.stock.placeholder_id).int(),
            output_hidden_states=True,
        )
    seen = pair.prompt_seen(visual, prompt)
    torch.testing.assert_close(seen.states, whole.hidden_states[-1][0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("architecture", FRAMED, ids=str)
def test_memory_at_its_original_places_changes_what_is_seen(pair_of: PairOf, architecture: Architecture) -> None:
    pair = pair_of(architecture)
    visual = pair.shown(pair.memory(3), random_frames(4))
    prompt = pair.stock.prompt(DESCRIBE_PROMPT, 3, random_frames(4))
    placed = VisualInput(visual.memory, visual.tokens, visual.token_grid, memory_offsets=torch.tensor([60, 31, 4]))
    plain, far = pair.prompt_seen(visual, prompt), pair.prompt_seen(placed, prompt)
    assert torch.equal(plain.embeds, far.embeds)
    assert not torch.allclose(plain.states[-1], far.states[-1], rtol=1e-3)


def test_pictures_of_their_own_at_original_places_by_hand() -> None:
    """Two words, memory of two steps before (offset 7) and one before (offset 1), two words, a step of 2 x 2."""
    words, step = PieceShape("text", 2), PieceShape("frames", 4)
    pieces = [words, PieceShape("memory", 2), words, step, PieceShape("text", 1)]
    grid = GridRule(2, 2, step_interval=5, moves_all=True)
    placed = prompt_positions(pieces, torch.tensor([7, 1]), grid, torch.device("cpu"))
    assert placed is not None
    assert placed.tolist() == [
        [0, 1, 2, 7, 12, 13, 14, 14, 14, 14, 16],
        [0, 1, 2, 8, 12, 13, 14, 14, 15, 15, 16],
        [0, 1, 3, 8, 12, 13, 14, 15, 14, 15, 16],
    ]


def test_times_are_counted_from_the_first_frame() -> None:
    nothing = torch.empty(0, 0)
    shown = VisualInput(nothing, nothing, frame_seconds=(100.0, 101.0, 104.0, 105.0, 109.0))
    assert step_seconds(shown, 3, 2) == [0.5, 4.5, 9.0]  # the last step has one frame, which fills it up
    assert step_seconds(shown, 2) == [0.0, 1.0]
    assert step_seconds(VisualInput(nothing, nothing), 2, 2) == [1.0, 5.0]
    with pytest.raises(SettingError, match="must have 4 times, one per step of frames, got 5"):
        step_seconds(shown, 4, 2)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "zero"),
        (13, "thirteen"),
        (20, "twenty"),
        (32, "thirty-two"),
        (100, "one hundred"),
        (128, "one hundred and twenty-eight"),
        (1000, "1000"),
    ],
)
def test_numbers_in_words(number: int, words: str) -> None:
    assert in_words(number) == words


def pieces_of(pair: Pair, visual: VisualInput, text: str = DESCRIBE_PROMPT) -> list[Piece]:
    return pair.model.lay_out(pair.model._prompts.ids(text, with_video=True), visual)


def ids_of(piece: Piece, placeholder_id: int) -> list[int]:
    assert not isinstance(piece, Separator)
    return [placeholder_id] * len(piece.tokens) if isinstance(piece, Memory | Frames) else list(piece)
