"""What every adapter keeps to, whatever its architecture: each test runs over the whole table of models."""

import json
import shutil
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from keepsight.errors import ModelError, PromptTooLongError, SettingError
from keepsight.method.prompts import captions_context, question_text
from keepsight.method.protocol import AnswerRequest, DescribeRequest, Description, VisualInput
from keepsight.models.decoding.attention_rows import ScoreAccumulator
from keepsight.models.loading import load_model
from keepsight.models.registry import ADAPTERS
from keepsight.models.vision.batches import encode_batches, frames_in_batch
from keepsight.settings import DESCRIBE_PROMPT
from tests.models.architecture import FRAME_SIZES, Architecture, random_frames
from tests.models.architectures import ARCHITECTURES
from tests.models.contract_pair import NEW_TOKENS, Pair, Seen, top_set

CONTEXT = captions_context(["[00:00-00:16] a dog arrives", "[00:16-00:32] a red cat leaves the kitchen"])
QUESTION = "Where is the dog now?"
SECONDS = (10.0, 10.5, 11.0, 11.5, 12.0)
NOT_FINITE = "must be finite, got NaN or infinity in float32: the weights may be damaged; download the model again"
WriteModel = Callable[..., Path]


@pytest.fixture(scope="module", params=ARCHITECTURES, ids=str)
def architecture(request: pytest.FixtureRequest) -> Architecture:
    return request.param


@pytest.fixture(scope="module")
def write(architecture: Architecture, tmp_path_factory: pytest.TempPathFactory) -> WriteModel:
    """Folder of a random checkpoint of the architecture."""
    return lambda **sizes: architecture.write(tmp_path_factory.mktemp("model"), **sizes)


@pytest.fixture(scope="module")
def pair(architecture: Architecture, write: WriteModel) -> Pair:
    return Pair(architecture, write())


def test_every_adapter_is_in_the_table() -> None:
    assert {architecture.model_type for architecture in ARCHITECTURES} == set(ADAPTERS)
    assert len({str(architecture) for architecture in ARCHITECTURES}) == len(ARCHITECTURES)


@pytest.mark.parametrize("size", FRAME_SIZES, ids=str)
@pytest.mark.parametrize("num_frames", [1, 2, 5])
def test_features_are_those_of_the_stock_path(pair: Pair, num_frames: int, size: tuple[int, int]) -> None:
    height, width = size
    frames = random_frames(num_frames, seed=num_frames, height=height, width=width)
    tokens = pair.model.encode(frames)
    info = pair.model.info
    num_tokens = pair.architecture.num_tokens(num_frames, height, width)
    assert tokens.shape == (num_tokens, info.token_width)
    assert info.num_visual_tokens(num_frames, pair.model.token_grid(height, width)) == num_tokens
    torch.testing.assert_close(tokens, pair.stock.features(frames), rtol=1e-4, atol=1e-5)


def test_frames_are_not_mixed_up(pair: Pair) -> None:
    """Swapped steps give swapped tokens, in as many batches as it takes."""
    first, second = random_frames(2, seed=1) * 10, random_frames(2, seed=2)
    tokens, swapped = pair.model.encode([*first, *second]), pair.model.encode([*second, *first])
    num = pair.architecture.num_tokens(2, *FRAME_SIZES[0])
    torch.testing.assert_close(tokens[:-num], swapped[num:], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(tokens[-num:], swapped[:num], rtol=1e-4, atol=1e-5)
    assert not torch.allclose(tokens[:num], swapped[:num], rtol=1e-2)


@pytest.mark.parametrize("size", FRAME_SIZES[:2], ids=str)
@pytest.mark.parametrize("num_steps", [1, 2, None], ids=["one-step", "two-steps", "default"])
def test_repeated_frames_have_the_features_of_the_stock_path(
    pair: Pair, num_steps: int | None, size: tuple[int, int]
) -> None:
    """Frames are repeated within steps and batches, over their borders, and up to an incomplete batch at the end."""
    info, most = pair.model.info, pair.model.frames_per_batch
    first, second, third = random_frames(3, height=size[0], width=size[1])
    frames = [*[first] * 33, second, *[third.copy() for _ in range(35)], *[first] * 2]
    whole = len(frames) if most is None else frames_in_batch(info, most)
    per_batch = whole if num_steps is None else num_steps * info.frames_per_step
    batches = [frames[start : start + per_batch] for start in range(0, len(frames), per_batch)]
    encoded: list[Sequence[np.ndarray]] = []

    def encode_batch(batch: Sequence[np.ndarray]) -> torch.Tensor:
        encoded.append(batch)
        return pair.model.encode_batch(batch)

    tokens = encode_batches(frames, per_batch, encode_batch)
    assert torch.equal(tokens, torch.cat([pair.model.encode_batch(batch) for batch in batches]))
    torch.testing.assert_close(tokens, pair.stock.features(frames), rtol=1e-4, atol=1e-5)
    if num_steps is None:
        assert torch.equal(tokens, pair.model.encode(frames))
    runs = groupby(batches, key=lambda batch: [frame.tobytes() for frame in batch])
    assert len(encoded) == len(list(runs)) < len(batches) or most is None


@pytest.mark.parametrize("num_frames", [3, 20])
def test_the_first_frame_determines_the_grid_of_all(pair: Pair, num_frames: int) -> None:
    (wide,), high = random_frames(1), random_frames(num_frames, height=40, width=24)
    tokens = pair.model.encode([wide, *high])
    assert len(tokens) == pair.architecture.num_tokens(1 + num_frames, *FRAME_SIZES[0])
    torch.testing.assert_close(tokens, pair.stock.features([wide, *high]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("num_memory", [0, 1, 7])
@pytest.mark.parametrize("frame_seconds", [None, SECONDS], ids=["time-unknown", "two-a-second"])
def test_the_prompt_is_the_one_written_by_hand(
    pair: Pair, num_memory: int, frame_seconds: tuple[float, ...] | None
) -> None:
    frames = random_frames(5)
    memory = pair.memory(num_memory)
    visual = pair.shown(memory, frames, frame_seconds)
    prompt = pair.stock.prompt(DESCRIBE_PROMPT, num_memory, frames, frame_seconds)
    tokens = torch.cat([memory, visual.tokens])
    seen = pair.prompt_seen(visual, prompt)
    torch.testing.assert_close(seen.embeds, pair.stock.embeds(prompt, tokens))
    if prompt.positions is None:
        assert seen.positions is None
    else:
        assert torch.equal(seen.positions, prompt.positions)
    # Sums in float32 differ by up to 2e-5 from run to run; two neighbouring tokens exchanged differ by 0.4 to 5.
    torch.testing.assert_close(seen.states, pair.stock.states(prompt, tokens), rtol=1e-4, atol=1e-4)


def test_memory_stands_as_far_back_as_it_was_seen(pair: Pair) -> None:
    """What lies between a memory token and the clip moves it, and all before it that was seen earlier, farther back."""
    extra = torch.tensor([40, 40, 11, 11, 11, 5, 3])  # visual tokens not kept between each memory token and the clip
    frames, memory = random_frames(3), pair.memory(7)
    visual = pair.shown(memory, frames)
    placed = replace(visual, memory_offsets=torch.arange(7, 0, -1) + extra)
    prompt = pair.stock.prompt(DESCRIBE_PROMPT, 7, frames)
    if prompt.positions is not None:
        return  # on a grid, memory goes back to its place in the picture, too: see the tests of positions
    following = [next((j for j, place in enumerate(prompt.memory) if place >= k), None) for k in range(len(prompt.ids))]
    gaps = [int(extra[0] - (0 if j is None else extra[j])) for j in following]
    seen = pair.prompt_seen(placed, prompt)
    assert seen.positions.flatten().tolist() == [place + gap for place, gap in enumerate(gaps)]
    request = DescribeRequest(max_new_tokens=3)
    contiguous = pair.model.describe(replace(visual, memory_offsets=torch.arange(7, 0, -1)), request)
    torch.testing.assert_close(contiguous.scores, pair.model.describe(visual, request).scores)


def test_the_order_of_the_memory_matters(pair: Pair) -> None:
    frames, memory = random_frames(3), pair.memory(6)
    request = DescribeRequest(max_new_tokens=1)
    one, other = (pair.model.describe(pair.shown(m, frames), request) for m in (memory, memory.flip(0)))
    assert not torch.allclose(one.scores, other.scores, rtol=1e-3, atol=0)


@pytest.mark.parametrize("memory_share", [0.0, 1.0], ids=["no-memory", "full-memory"])
@pytest.mark.parametrize("num_frames", [1, 5])
def test_scores_equal_full_eager_attention(pair: Pair, num_frames: int, memory_share: float) -> None:
    frames = random_frames(num_frames, seed=num_frames)
    clip = pair.shown(pair.nothing, frames)
    memory = pair.memory(int(memory_share * len(clip.tokens)))
    visual = pair.shown(memory, frames)
    check_description(pair, pair.model.describe(visual, DescribeRequest(max_new_tokens=NEW_TOKENS)), visual, frames)


@pytest.mark.parametrize(("seed", "num_layers"), [(1, 2), (2, 5)])
def test_scores_of_other_weights_and_depths(
    architecture: Architecture, write: WriteModel, seed: int, num_layers: int
) -> None:
    other = Pair(architecture, write(seed=seed, num_layers=num_layers))
    frames = random_frames(4, seed=seed)
    visual = other.shown(other.memory(5), frames)
    check_description(other, other.model.describe(visual, DescribeRequest(max_new_tokens=NEW_TOKENS)), visual, frames)


def test_a_caption_of_one_token_has_scores(pair: Pair) -> None:
    frames = random_frames(2)
    visual = pair.shown(pair.memory(3), frames)
    description = pair.model.describe(visual, DescribeRequest(max_new_tokens=1))
    check_description(pair, description, visual, frames, max_new_tokens=1)


def test_other_aspect_ratios_are_scored(pair: Pair) -> None:
    for height, width in FRAME_SIZES[1:3]:
        frames = random_frames(3, height=height, width=width)
        visual = pair.shown(pair.memory(4), frames)
        description = pair.model.describe(visual, DescribeRequest(max_new_tokens=3))
        check_description(pair, description, visual, frames, max_new_tokens=3)


def test_a_later_token_changes_no_earlier_state(pair: Pair) -> None:
    frames = random_frames(4)
    visual = pair.shown(pair.memory(6), frames)
    prompt = pair.stock.prompt(DESCRIBE_PROMPT, 6, frames)
    whole = pair.prompt_seen(visual, prompt).states
    for group, places in (("memory", prompt.memory), ("tokens", prompt.clip)):
        changed = getattr(visual, group).clone()
        changed[-1] += 1.0
        other = {"memory": visual.memory, "tokens": visual.tokens} | {group: changed}
        states = pair.prompt_seen(VisualInput(**other, token_grid=visual.token_grid), prompt).states
        first = min((block[0] for block in prompt.blocks if places[-1] in block), default=places[-1])
        torch.testing.assert_close(states[:first], whole[:first], rtol=1e-4, atol=1e-5)
        assert ((states[first:] - whole[first:]).abs().amax(dim=1) > 1e-4).all()


@pytest.mark.parametrize(("num_memory", "num_frames"), [(0, 0), (0, 3), (5, 0), (5, 3)])
@pytest.mark.parametrize("context", ["", CONTEXT], ids=["no-captions", "captions"])
def test_answers_are_the_stock_ones(pair: Pair, context: str, num_memory: int, num_frames: int) -> None:
    frames = random_frames(num_frames)
    visual = pair.shown(pair.memory(num_memory), frames)
    answer = "".join(pair.model.answer(AnswerRequest(context, QUESTION, visual, max_new_tokens=5)))
    prompt = pair.stock.prompt(question_text(context, QUESTION), num_memory, frames)
    reply = pair.stock.reply(prompt, torch.cat([visual.memory, visual.tokens]), 5)
    assert answer == pair.stock.text(reply)
    counted = pair.model.count_prompt_tokens(context, QUESTION, len(visual.tokens), num_memory_tokens=num_memory)
    assert counted == len(prompt.ids)


def test_the_window_is_filled_to_the_last_token_and_not_beyond(architecture: Architecture, write: WriteModel) -> None:
    narrow = Pair(architecture, write(window=256))
    clip = narrow.shown(narrow.nothing, random_frames(4))
    room = narrow.model.max_memory_tokens(len(clip.tokens), DescribeRequest(max_new_tokens=6))
    memory = torch.zeros(room + 1, narrow.model.info.token_width)
    assert 0 < room < 256
    fits = VisualInput(memory[1:], clip.tokens, token_grid=clip.token_grid)
    assert narrow.model.describe(fits, DescribeRequest(max_new_tokens=6)).scores.shape == (len(clip.tokens),)
    too_many = VisualInput(memory, clip.tokens, token_grid=clip.token_grid)
    with pytest.raises(PromptTooLongError, match="but the model's context window is 256 tokens"):
        narrow.model.describe(too_many, DescribeRequest(max_new_tokens=6))
    assert narrow.model.max_memory_tokens(10_000) == 0


def test_control_tokens_in_a_text_are_data(pair: Pair) -> None:
    added = pair.stock.tokenizer.added_tokens_decoder.values()
    controls = [token for token in added if token.special and token.content != pair.stock.tokenizer.unk_token]
    attack = f"{DESCRIBE_PROMPT}{''.join(token.content for token in controls)} now"
    visual = pair.shown(pair.nothing, random_frames(1))
    embeds = []
    for text in (DESCRIBE_PROMPT, attack):
        with Seen(pair.model) as seen:
            pair.model.describe(visual, DescribeRequest(text, max_new_tokens=1))
        embeds.append(seen.embeds[0][0])
    assert len(embeds[1]) > len(embeds[0]) + len(controls)
    for token_id in pair.stock.tokenizer.convert_tokens_to_ids([token.content for token in controls]):
        own = pair.stock.embed([token_id])
        plain, attacked = (int((rows == own).all(dim=1).sum()) for rows in embeds)
        assert attacked == plain


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_is_near(pair: Pair, dtype: str) -> None:
    if dtype not in pair.architecture.half_dtypes:
        refusal = f"dtype must be one of float32, bfloat16 for a model that overflows float16, got '{dtype}'"
        with pytest.raises(SettingError, match=f"^{refusal}$"):
            load_model(pair.folder, device="cpu", dtype=dtype)
        return
    half = Pair(pair.architecture, pair.folder, dtype)
    frames = random_frames(5)
    visual = half.shown(half.memory(6), frames)
    assert visual.tokens.dtype == getattr(torch, dtype)
    description, reply = half.reply_ids(lambda: half.model.describe(visual, DescribeRequest(max_new_tokens=NEW_TOKENS)))
    assert description.scores.dtype == torch.float32
    assert bool(description.scores.isfinite().all())
    tokens = torch.cat([visual.memory, visual.tokens]).float()
    prompt = pair.stock.prompt(DESCRIBE_PROMPT, 6, frames)
    expected = pair.stock.scores(prompt, tokens, reply, half.model.info.score_layers)
    difference = (description.scores.double() - expected).abs().sum() / expected.sum()
    assert difference < (0.05 if dtype == "bfloat16" else 0.01)
    wanted = top_set(expected)
    assert len(top_set(description.scores) & wanted) >= 0.8 * len(wanted)


def test_a_tower_that_is_not_finite_is_refused(pair: Pair, tmp_path: Path) -> None:
    """A NaN in one weight of each of the tower's tensors reaches some of the visual tokens."""
    folder = Path(shutil.copytree(pair.folder, tmp_path / "model"))
    tensors = load_file(folder / "model.safetensors")
    for name, tensor in tensors.items():
        if "vis" in name:
            tensor.view(-1)[-1] = torch.nan
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=f"^visual tokens {NOT_FINITE}$"):
        load_model(folder, device="cpu").encode(random_frames(2))


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_logits_that_are_not_finite_are_refused_wherever_they_are_read(pair: Pair, value: float) -> None:
    """Broken from the third token on: captions and answers end there, on every path."""
    visual = pair.shown(pair.memory(5), random_frames(4))
    request = DescribeRequest(max_new_tokens=NEW_TOKENS)
    caption = pair.model.describe(visual, request).caption
    question = AnswerRequest(CONTEXT, QUESTION, visual, max_new_tokens=NEW_TOKENS)
    answer = "".join(pair.model.answer(question))
    refusal = pytest.raises(ModelError, match=f"^logits {NOT_FINITE}$")
    with breaking(pair, 2, value), refusal:
        pair.model.describe(visual, request)
    with breaking(pair, 1, value), refusal:
        pair.model.describe(visual, replace(request, recent_captions=(caption,)))
    with breaking(pair, 2, value), refusal:
        pair.model.describe_batch([visual, visual], request)
    said: list[str] = []
    with breaking(pair, 2, value), refusal:
        said += pair.model.answer(question)
    assert answer.startswith("".join(said))
    with breaking(pair, 2, value), refusal:
        finished(pair.model.answering(CONTEXT, [QUESTION, "What?"], max_new_tokens=NEW_TOKENS))
    assert pair.model.describe(visual, request).caption == caption


def test_scores_and_embeddings_that_are_not_finite_are_refused(pair: Pair) -> None:
    loaded = Pair(pair.architecture, pair.folder)
    visual = loaded.shown(loaded.memory(5), random_frames(4))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ScoreAccumulator, "scores", lambda self: [torch.tensor([0.5, torch.nan])])
        with pytest.raises(ModelError, match=f"^attention scores {NOT_FINITE}$"):
            loaded.model.describe(visual, DescribeRequest(max_new_tokens=2))
    with torch.no_grad():
        loaded.model._language.embedding.weight[:, 0] = torch.inf
    with pytest.raises(ModelError, match=f"^text embeddings {NOT_FINITE}$"):
        loaded.model.embed("a dog arrives")


def test_a_decoder_that_overflows_float16_says_so_and_runs_in_bfloat16(pair: Pair, tmp_path: Path) -> None:
    """Weights that float16 holds, whose products it does not."""
    if "float16" not in pair.architecture.half_dtypes:
        return
    folder = Path(shutil.copytree(pair.folder, tmp_path / "model"))
    tensors = load_file(folder / "model.safetensors")
    for name, tensor in tensors.items():
        if name.endswith(("layers.0.mlp.down_proj.weight", "layers.0.mlp.up_proj.weight")) and "vis" not in name:
            tensor *= 1e4 / tensor.abs().max()
            assert bool(tensor.half().isfinite().all())
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    frames = random_frames(2)
    for dtype in ("float32", "bfloat16"):
        Pair(pair.architecture, folder, dtype).model.describe(pair.shown(pair.nothing, frames))
    half = Pair(pair.architecture, folder, "float16")
    with pytest.raises(ModelError) as refused:
        half.model.describe(half.shown(half.nothing, frames), DescribeRequest(max_new_tokens=3))
    assert str(refused.value) == (
        "logits must be finite, got NaN or infinity in float16: the model's numbers overflow; "
        "try --dtype bfloat16 or --dtype float32"
    )


@contextmanager
def breaking(pair: Pair, num_good: int, value: float) -> Iterator[None]:
    """For the duration of a block, all logits are a value after a number of good passes."""
    language = pair.model._language
    whole = language._logits
    num_passes = 0

    def broken(states: torch.Tensor) -> torch.Tensor:
        nonlocal num_passes
        num_passes += 1
        logits = whole(states)
        return logits if num_passes <= num_good else torch.full_like(logits, value)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(language, "_logits", broken)
        yield


def test_a_saved_model_loads_again(pair: Pair, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(pair.folder, tmp_path / "model"))
    (folder / "model.safetensors").unlink()
    pair.model._model.save_pretrained(folder)
    again = load_model(folder, device="cpu")
    visual = pair.shown(pair.memory(4), random_frames(3))
    one, other = (model.describe(visual, DescribeRequest(max_new_tokens=4)) for model in (pair.model, again))
    assert one.caption == other.caption
    assert torch.equal(one.scores, other.scores)
    assert torch.equal(again.encode(random_frames(3)), visual.tokens)


def test_a_checkpoint_that_lacks_a_tensor_is_refused(pair: Pair, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(pair.folder, tmp_path / "model"))
    tensors = load_file(folder / "model.safetensors")
    name = next(name for name in tensors if "layers.1." in name and name.endswith("q_proj.weight"))
    del tensors[name]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match="lack 1 tensors"):
        load_model(folder, device="cpu")


def test_a_checkpoint_of_another_type_is_not_taken_for_this_one(pair: Pair) -> None:
    config = json.loads((pair.folder / "config.json").read_text())
    assert config["model_type"] == pair.architecture.model_type
    assert pair.model.info.architecture == type(pair.stock.model).__name__
    assert pair.model.info.num_parameters == sum(weight.numel() for weight in pair.stock.model.parameters())


def test_a_batch_is_what_its_clips_are_one_by_one(pair: Pair) -> None:
    shown = [
        pair.shown(pair.memory(num_memory), random_frames(num_frames, seed=num_frames))
        for num_memory, num_frames in ((0, 4), (9, 4), (3, 1), (0, 2))
    ]
    together = pair.model.describe_batch(shown, DescribeRequest(max_new_tokens=NEW_TOKENS))
    for visual, description in zip(shown, together, strict=True):
        alone = pair.model.describe(visual, DescribeRequest(max_new_tokens=NEW_TOKENS))
        assert (description.caption, description.num_caption_tokens) == (alone.caption, alone.num_caption_tokens)
        torch.testing.assert_close(description.scores, alone.scores, rtol=1e-5, atol=1e-8)


def test_questions_together_are_answered_as_alone(pair: Pair) -> None:
    questions = [QUESTION, "What?", "Was there a red cat in the kitchen, or was it somewhere else?", QUESTION]
    for context in ("", CONTEXT):
        together = finished(pair.model.answering(context, questions, max_new_tokens=NEW_TOKENS))
        requests = [AnswerRequest(context, one, max_new_tokens=NEW_TOKENS) for one in questions]
        alone = ["".join(pair.model.answer(request)) for request in requests]
        assert together == alone
    with pytest.raises(PromptTooLongError):
        pair.model.answering("", ["What?", "dog " * pair.model.info.context_window_tokens], max_new_tokens=NEW_TOKENS)


def finished(work: Generator[None, None, list[str]]) -> list[str]:
    while True:
        try:
            next(work)
        except StopIteration as end:
            return list(end.value)


def test_guesses_change_nothing_but_the_number_of_passes(pair: Pair) -> None:
    visual = pair.shown(pair.memory(5), random_frames(4))
    plain, num_passes = described(pair, visual)
    words = plain.caption.split()
    half_right = " ".join([*words[: len(words) // 2], "kitchen", *words[len(words) // 2 :]])
    for recent in ((plain.caption,), (half_right, "a dog"), ("street now",), ("", "  ")):
        guessed, guessed_passes = described(pair, visual, recent_captions=recent)
        assert (guessed.caption, guessed.num_caption_tokens) == (plain.caption, plain.num_caption_tokens)
        torch.testing.assert_close(guessed.scores, plain.scores, rtol=1e-6, atol=1e-9)
        assert guessed_passes <= num_passes
        if recent == (plain.caption,) and pair.model.can_draft:
            assert guessed_passes < num_passes


def test_what_cannot_be_is_refused(pair: Pair) -> None:
    visual = pair.shown(pair.nothing, random_frames(1))
    wide = torch.zeros(3, pair.model.info.token_width + 1)
    with pytest.raises(SettingError, match="frames must have at least one frame"):
        pair.model.encode([])
    with pytest.raises(SettingError, match="must have at least one visual token"):
        pair.model.describe(VisualInput(visual.tokens, pair.nothing))
    with pytest.raises(SettingError, match="must have shape"):
        pair.model.describe(VisualInput(wide, visual.tokens, token_grid=visual.token_grid))
    with pytest.raises(SettingError, match="max_new_tokens"):
        pair.model.describe(visual, DescribeRequest(max_new_tokens=0))


def described(pair: Pair, visual: VisualInput, recent_captions: tuple[str, ...] = ()) -> tuple[Description, int]:
    """A description and the number of passes through the decoder that it took."""
    with Seen(pair.model) as seen:
        description = pair.model.describe(visual, DescribeRequest(max_new_tokens=16, recent_captions=recent_captions))
    return description, seen.num_passes


def check_description(
    pair: Pair,
    description: Description,
    visual: VisualInput,
    frames: Sequence[np.ndarray],
    max_new_tokens: int = NEW_TOKENS,
) -> None:
    reply, scores = pair.expected(visual, frames, max_new_tokens)
    assert description.caption == pair.stock.text(reply)
    assert description.num_caption_tokens == len(reply)
    torch.testing.assert_close(description.scores.double(), scores, rtol=1e-5, atol=1e-8)
    assert top_set(description.scores) == top_set(scores)
    assert float(scores.max() / scores.min()) > 1.1 or len(scores) == 1  # else any columns would do
