"""What the scores cost: whole generations with them, without them, and with eager attention.

    python -m benchmarks.attention                  # a narrow decoder on the CPU: minutes
    python -m benchmarks.attention --quick          # seconds, to see that it runs
    python -m benchmarks.attention --device cuda    # the 7B's decoder in float16

The decoder has the depth and heads of LLaVA-OneVision 7B's (28 layers, 28 query heads over 4 key-value heads). On CUDA
it has its width, too; on the CPU 16 values a head instead of 128, so 448 instead of 3,584. That is hard on the scores:
the softmax over a row costs the same as in the 7B, while everything it is compared with costs far less.

All modes run in one process over the same weights and take turns within each repeat. Ratios are medians of the ratios
within a repeat, so that what else the machine does meets both alike; CPU time suffers less from it than wall time. "100
tokens" is what the ratio would be for a caption of that length, from the times of the prompt and of a step. Memory is
the rise during a run of its own, a prompt and a few tokens.

Eager attention with `output_attentions` keeps layers x heads x length^2 values, 31 GB at 3,136 tokens in float32. A
mode that would not fit in the free memory is left out, and the table says so.
"""

import argparse
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch
from torch import Tensor
from transformers import Qwen2Config, Qwen2ForCausalLM

from benchmarks.rig.machine import heading, table
from benchmarks.rig.measuring import Cost, count_exactly, measured, now, release
from benchmarks.rig.ratios import Ratio, add_ratios_option, write_ratios
from keepsight.models.decoding.attention_rows import RowRule, ScoreAccumulator
from keepsight.models.decoding.language_model import LanguageModel, PromptBatch
from keepsight.models.decoding.replies import generate
from keepsight.models.decoding.scoring_attention import register_attention
from keepsight.models.hardware.free_memory import free_memory_bytes
from keepsight.models.hardware.number_formats import DTYPES

MODES = {
    "sdpa": "plain SDPA",
    "scores": "SDPA with scores",
    "eager-rows": "eager, attentions at decode steps only",
    "eager": "eager with `output_attentions`",
}
FAST = ("sdpa", "scores")
NUM_LAYERS, NUM_HEADS, NUM_KEY_VALUE_HEADS = 28, 28, 4
SCORE_LAYERS = (5, 9, 14, 20)
CAPTION_TOKENS = 100
BAR = 1.02


@dataclass(frozen=True)
class Case:
    """One size of prompt.

    Attributes:
        batch: prompts side by side.
        num_tokens: length of each; its second half is the clip that is scored.
        modes: keys of `MODES`; plain SDPA is always there.
    """

    batch: int
    num_tokens: int
    modes: tuple[str, ...]

    def attention_bytes(self, mode: str, bytes_a_value: int) -> int:
        """Bytes of the attention matrices alive at once in an eager mode; 0 in the others."""
        kept = {"eager": NUM_LAYERS, "eager-rows": 1}.get(mode, 0)
        matrix = self.batch * NUM_HEADS * self.num_tokens**2
        return (kept * bytes_a_value + 4 + bytes_a_value) * matrix if kept else 0  # softmax in float32, and its input


CPU_CASES = (Case(1, 3136, FAST), Case(8, 392, FAST), Case(1, 784, tuple(MODES)))
QUICK_CASES = (Case(1, 256, tuple(MODES)), Case(2, 128, FAST))
CUDA_CASES = tuple(
    Case(batch, tokens, tuple(MODES) if batch == 1 else FAST) for batch in (1, 8) for tokens in (3136, 6272, 12544)
)


@torch.inference_mode()
def eager_passes(model: Any, embeds: Tensor, num_new_tokens: int, *, at_prompt: bool) -> Iterator[None]:
    """A generation that asks for attentions, as stock means have it, and reduces them as the scores are.

    Args:
        model: with eager attention.
        embeds: `[batch, length, dim]` of the prompts.
        num_new_tokens: of each reply.
        at_prompt: ask for those of the prompt, too; otherwise at decode steps only.
    """
    decoder, embedding, head = model.get_decoder(), model.get_input_embeddings(), model.get_output_embeddings()
    reply = decoder(inputs_embeds=embeds, use_cache=True, output_attentions=at_prompt)
    cache = reply.past_key_values
    total: Any = 0
    for _ in range(num_new_tokens - 1):
        ids = head(reply.last_hidden_state[:, -1:]).argmax(dim=-1)
        yield
        reply = decoder(inputs_embeds=embedding(ids), past_key_values=cache, use_cache=True, output_attentions=True)
        rows = [reply.attentions[layer - 1][:, :, -1].float().mean(dim=1) for layer in SCORE_LAYERS]
        total = total + sum(rows)[:, : embeds.shape[1]]
    head(reply.last_hidden_state[:, -1:]).argmax(dim=-1)
    assert_finite(total)
    yield


def score_passes(model: Any, batch: PromptBatch, num_new_tokens: int) -> Iterator[None]:
    """A generation with scores."""
    rule = RowRule.covering(SCORE_LAYERS, "mean", batch.clip_columns)
    rows = ScoreAccumulator(rule, batch.clip_columns)
    for _ in generate(LanguageModel(model), batch, frozenset(), num_new_tokens, rows=rows):
        yield
    for scores in rows.scores():
        assert_finite(scores)


def plain_passes(model: Any, batch: PromptBatch, num_new_tokens: int) -> Iterator[None]:
    """A generation without."""
    for _ in generate(LanguageModel(model), batch, frozenset(), num_new_tokens):
        yield


def assert_finite(scores: Tensor) -> None:
    """Use the scores, and stop the benchmark if the model has gone astray."""
    if not bool(scores.isfinite().all()):
        raise SystemExit("attention is not finite")


@dataclass(frozen=True)
class Run:
    """One generation: its cost, and the part of its wall time that the prompt took."""

    cost: Cost
    prompt_seconds: float
    step_seconds: float


def build_model(head_dim: int, vocabulary: int, device: str, dtype: str) -> Any:
    """A random Qwen2 decoder."""
    hidden = NUM_HEADS * head_dim
    config = Qwen2Config(  # type: ignore[call-arg]  # configurations take more than they declare
        vocab_size=vocabulary,
        hidden_size=hidden,
        intermediate_size=round(hidden * 18944 / 3584),
        num_hidden_layers=NUM_LAYERS,
        num_attention_heads=NUM_HEADS,
        num_key_value_heads=NUM_KEY_VALUE_HEADS,
        max_position_embeddings=32768,
        attn_implementation="sdpa",
    )
    torch.manual_seed(0)
    usual = torch.get_default_dtype()
    torch.set_default_dtype(DTYPES[dtype])
    try:
        with torch.device(device):
            return Qwen2ForCausalLM(config).eval()
    finally:
        torch.set_default_dtype(usual)


def prompts(model: Any, case: Case) -> PromptBatch:
    """Random embeddings."""
    weight = model.get_input_embeddings().weight
    generator = torch.Generator().manual_seed(1)
    embeds = torch.randn(case.batch, case.num_tokens, weight.shape[1], generator=generator)
    columns = torch.arange(case.num_tokens // 2, case.num_tokens)
    return PromptBatch(
        embeds=embeds.to(weight),
        mask=None,
        positions=None,
        next_positions=torch.full((case.batch,), case.num_tokens, device=weight.device),
        clip_columns=(columns,) * case.batch,
        is_visual=torch.ones(case.batch, case.num_tokens, dtype=torch.bool, device=weight.device),
        ids=torch.full((case.batch, case.num_tokens), -1, device=weight.device),
        deepstack=None,
    )


def run_once(model: Any, case: Case, mode: str, num_new_tokens: int) -> Run:
    """One generation."""
    device = str(model.device)
    model.set_attn_implementation({"sdpa": "sdpa", "scores": register_attention()}.get(mode, "eager"))
    batch = prompts(model, case)
    if mode.startswith("eager"):
        passes = eager_passes(model, batch.embeds, num_new_tokens, at_prompt=mode == "eager")
    else:
        passes = (score_passes if mode == "scores" else plain_passes)(model, batch, num_new_tokens)
    with measured(device) as cost:
        started = time.perf_counter()
        next(passes)
        prompt_seconds = now(device) - started
        num_steps = sum(1 for _ in passes)
    return Run(cost, prompt_seconds, (cost.wall_seconds - prompt_seconds) / max(1, num_steps))


def compare(model: Any, case: Case, num_new_tokens: int, repeats: int) -> tuple[dict[str, list[Run]], dict[str, str]]:
    """Runs of each mode, in turns, and why a mode was left out."""
    runs: dict[str, list[Run]] = {}
    left_out = {}
    release(str(model.device))
    for mode in case.modes:
        needed = case.attention_bytes(mode, model.dtype.itemsize)
        free = free_memory_bytes(model.device)
        if free is not None and needed > 0.8 * free:
            left_out[mode] = f"left out: {needed / 1e9:.0f} GB of attention, {free / 1e9:.0f} GB free"
    possible = [mode for mode in case.modes if mode not in left_out]
    run_once(model, case, "scores", 2)
    for repeat in range(repeats):
        turn = repeat % len(possible)
        for mode in possible[turn:] + possible[:turn]:
            runs.setdefault(mode, []).append(run_once(model, case, mode, num_new_tokens))
    return runs, left_out


def memory_of(model: Any, case: Case, modes: Iterable[str]) -> dict[str, int]:
    """Rise of memory of each mode over a prompt and a few tokens."""
    return {mode: run_once(model, case, mode, 4).cost.rise_bytes for mode in modes}


def case_rows(
    case: Case, runs: dict[str, list[Run]], left_out: dict[str, str], rises: dict[str, int]
) -> list[list[str]]:
    """Rows of the table for one case."""
    rows = []
    for mode in case.modes:
        head = [f"{case.batch} x {case.num_tokens:,}", MODES[mode]]
        if mode in left_out:
            rows.append([*head, left_out[mode], "", "", "", "", ""])
        else:
            rows.append([*head, *cells(runs[mode], runs["sdpa"]), f"{rises[mode] / 1e9:.3f}"])
    return rows


def cells(own: Sequence[Run], plain: Sequence[Run]) -> list[str]:
    """Medians, and medians of the ratios within repeats."""
    pairs = list(zip(own, plain, strict=True))

    def both(of: Any, digits: int, factor: float = 1.0) -> str:
        value = factor * median(of(run) for run in own)
        return f"{value:.{digits}f} ({median(of(one) / of(other) for one, other in pairs):.3f} x)"

    def caption(run: Run) -> float:
        return run.prompt_seconds + (CAPTION_TOKENS - 1) * run.step_seconds

    return [
        both(lambda run: run.cost.wall_seconds, 2),
        both(lambda run: run.cost.cpu_seconds, 2),
        f"{median(run.prompt_seconds for run in own):.2f}",
        both(lambda run: run.step_seconds, 1, 1000),
        f"{median(caption(one) / caption(other) for one, other in pairs):.3f} x",
    ]


def ratio_of(case: Case, runs: dict[str, list[Run]], on_cuda: bool) -> Ratio:
    """What the scores cost, as a ratio for the history of benchmarks."""

    def seconds(run: Run) -> float:
        return run.cost.wall_seconds if on_cuda else run.cost.cpu_seconds

    pairs = zip(runs["scores"], runs["sdpa"], strict=True)
    name = f"scores / plain SDPA, {case.batch} x {case.num_tokens} tokens"
    return Ratio(name, tuple(seconds(own) / seconds(plain) for own, plain in pairs))


COLUMNS = (
    "prompts",
    "attention",
    "wall s (ratio)",
    "CPU s (ratio)",
    "prompt s",
    "ms a step (ratio)",
    f"{CAPTION_TOKENS} tokens",
    "GB over weights",
)


def parse() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description="Cost of the attention scores, as a Markdown table.")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", choices=sorted(DTYPES), help="float32 on the CPU and float16 on CUDA by default")
    parser.add_argument("--tokens", type=int, nargs="+", help="prompt lengths, instead of the usual cases")
    parser.add_argument("--batches", type=int, nargs="+", default=[1], help="with --tokens: prompts side by side")
    parser.add_argument("--modes", nargs="+", choices=list(MODES), default=list(FAST), help="with --tokens")
    parser.add_argument("--new-tokens", type=int, help="32 on the CPU, 100 on CUDA")
    parser.add_argument("--head-dim", type=int, help="values a head: 16 on the CPU, 128 on CUDA")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="short prompts and one repeat, to see that it runs")
    add_ratios_option(parser)
    options = parser.parse_args()
    on_cuda = options.device.startswith("cuda")
    options.dtype = options.dtype or ("float16" if on_cuda else "float32")
    options.new_tokens = options.new_tokens or (CAPTION_TOKENS if on_cuda else 32)
    options.head_dim = options.head_dim or (128 if on_cuda else 16)
    options.vocabulary = 152_064 if on_cuda else 8192
    options.cases = CUDA_CASES if on_cuda else CPU_CASES
    if options.tokens:
        modes = tuple(mode for mode in MODES if mode == "sdpa" or mode in options.modes)
        options.cases = [Case(batch, tokens, modes) for batch in options.batches for tokens in options.tokens]
    if options.quick:
        options.cases, options.new_tokens, options.repeats = QUICK_CASES, 6, 1
        options.head_dim, options.vocabulary = 4, 512
    return options


def main() -> None:
    """Print the table."""
    options = parse()
    model = build_model(options.head_dim, options.vocabulary, options.device, options.dtype)
    found = [compare(model, case, options.new_tokens, options.repeats) for case in options.cases]
    on_cuda = options.device.startswith("cuda")
    cases = [(case, runs) for case, (runs, _) in zip(options.cases, found, strict=True) if "scores" in runs]
    write_ratios(options.ratios, [ratio_of(case, runs, on_cuda) for case, runs in cases])
    count_exactly()
    rows = []
    for case, (runs, left_out) in zip(options.cases, found, strict=True):
        rows += case_rows(case, runs, left_out, memory_of(model, case, runs))
    note = (
        f"{NUM_LAYERS} layers, {NUM_HEADS} query heads over {NUM_KEY_VALUE_HEADS} key-value heads of "
        f"{options.head_dim}, {options.dtype}; scores on layers {list(SCORE_LAYERS)}, {options.new_tokens} new tokens, "
        f"medians of {options.repeats}. The bar is {BAR} x plain SDPA."
    )
    print("\n".join([*heading(options.device, note), *table(COLUMNS, rows)]))


if __name__ == "__main__":
    main()
