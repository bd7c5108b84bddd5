"""What a question costs, in time and memory: answered from captions, and by the two ways it is compared with.

    python -m benchmarks.question                          # a narrow model on the CPU: minutes, 6 GB of free memory
    python -m benchmarks.question --quick                  # seconds, to see that it runs
    python -m benchmarks.question --device cuda --shapes 0.5b 7b

The protocol is ReKV's (arXiv 2503.00540), which the method's paper takes over: a question of 64 tokens, an answer of
128. Captions have 100 tokens each, and as many are given as fill 10,000 or 6,000. Weights are random.

- **Keepsight**: `ask` over a journal of two hours, from choosing captions to the last word.
- **eager**: the same captions and prompt through the transformers model with eager attention and logits for every
  position, which is what the method's description says word for word. Choosing captions is Keepsight's, and counted.
- **key-value retrieval**: a baseline in the style of ReKV (`keepsight.bench.baselines.kv_stream`) answers from the
  keys and values of 64 frames of 196 tokens. It has no budget of captions, so one measurement stands for both. What it
  keeps is that of the frames shown here; 1,800 of them are an hour.

The three take turns within each repeat; figures are medians. Memory is the rise over what was in use before the
question, in a run of its own: keys and values, activations, logits. Weights come on top, and what key-value retrieval
keeps.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch

from benchmarks.rig.journals import Past, write_past
from benchmarks.rig.machine import heading, table
from benchmarks.rig.measuring import Cost, count_exactly, measured, now
from benchmarks.rig.models import SHAPES, RandomModel, random_model, words
from benchmarks.rig.ratios import Ratio, add_ratios_option, write_ratios
from keepsight.asking.answering import Ask, ask
from keepsight.asking.evidence import gather_evidence
from keepsight.bench.baselines.kv_stream import KeyValueSettings, KeyValueStream
from keepsight.journal import Journal, StreamRecord
from keepsight.method.prompts import question_text
from keepsight.settings import Settings

CAPTION_WORDS = 99
"""With its time in front, a line of 101 tokens."""
NUM_CAPTIONS = 225
"""Two hours at 0.5 frames a second."""
RETRIEVAL = "key-value retrieval"


@dataclass(frozen=True)
class Sizes:
    """How large a question is.

    Attributes:
        budgets: tokens of captions.
        question_tokens: length of the question.
        answer_tokens: length of the answer.
        frames: that the baseline has seen.
        retrieved_frames: that it answers from.
        window_frames: that a frame attends to when it sees it.
    """

    budgets: tuple[int, ...] = (10_000, 6_000)
    question_tokens: int = 64
    answer_tokens: int = 128
    frames: int = 80
    retrieved_frames: int = 64
    window_frames: int = 64


@dataclass(frozen=True)
class Asked:
    """One answer: what it cost, and when its first piece came."""

    cost: Cost
    first_seconds: float


def asked(device: str, begin: Callable[[], Iterator[str]]) -> Asked:
    """Measure an answer from the question to its last piece."""
    with measured(device) as cost:
        started = time.perf_counter()
        pieces = begin()
        next(pieces)
        first = now(device) - started
        for _ in pieces:
            pass
    return Asked(cost, first)


def keepsight_answer(
    random: RandomModel, journal: Journal, stream: StreamRecord, question: str, settings: Settings
) -> Iterator[str]:
    """As a user asks."""
    return iter(ask(random.adapter, journal, stream, Ask(question), settings=settings))


def eager_answer(
    random: RandomModel, journal: Journal, stream: StreamRecord, question: str, settings: Settings
) -> Iterator[str]:
    """The same prompt through the stock model: whole attention matrices, logits of all positions, greedy."""
    model, side = random.stock, random.adapter.language_side
    evidence = gather_evidence(
        random.adapter, journal, stream, question, ask_seconds=None, settings=settings, live_frames=()
    )
    ids = side.prompts.ids(question_text(evidence.context, question), with_video=False).before
    usual = model.config.text_config._attn_implementation
    set_text_attention(model, "eager")
    try:
        yield from _greedy(model, list(ids), evidence.max_new_tokens, side.decode)
    finally:
        set_text_attention(model, usual)


@torch.inference_mode()
def _greedy(model: Any, ids: list[int], count: int, decode: Callable[[list[int]], str]) -> Iterator[str]:
    given = torch.tensor([ids], device=model.device)
    cache = None
    for _ in range(count):
        reply = model(input_ids=given, past_key_values=cache, use_cache=True)
        cache = reply.past_key_values
        given = reply.logits[:, -1:].argmax(dim=-1)
        yield decode(given[0].tolist())


def set_text_attention(model: Any, name: str) -> None:
    """Change how the language model attends."""
    model.set_attn_implementation({"text_config": name, "vision_config": "sdpa"})


def seen_stream(random: RandomModel, sizes: Sizes) -> KeyValueStream:
    """A stream of frames whose keys and values are kept; tokens are random numbers."""
    info = random.adapter.info
    settings = KeyValueSettings(sizes.window_frames, sizes.retrieved_frames)
    stream = KeyValueStream(random.adapter, settings)
    generator = torch.Generator().manual_seed(0)
    for _ in range(sizes.frames):
        tokens = 0.02 * torch.randn(info.tokens_per_step, info.dim, generator=generator)
        stream.see(tokens.to(info.device, random.stock.dtype))
    return stream


@dataclass(frozen=True, eq=False)
class Ways:
    """The ways to answer one question.

    Attributes:
        random: the model.
        journal, stream: hold the captions.
        frames: what key-value retrieval has seen.
        sizes: of question, answer and context.
    """

    random: RandomModel
    journal: Journal
    stream: StreamRecord
    frames: KeyValueStream
    sizes: Sizes

    def all(self, answer_tokens: int) -> dict[tuple[str, str], Callable[[], Iterator[str]]]:
        """What begins an answer, by way and context."""
        question = words(self.sizes.question_tokens)
        ways: dict[tuple[str, str], Callable[[], Iterator[str]]] = {}
        for budget in self.sizes.budgets:
            settings = Settings(max_answer_tokens=answer_tokens, retrieval_budget_tokens=budget)
            given = (self.random, self.journal, self.stream, question, settings)
            ways["Keepsight", f"{budget:,}"] = partial(keepsight_answer, *given)
            ways["eager", f"{budget:,}"] = partial(eager_answer, *given)
        context = f"{self.sizes.retrieved_frames} frames"
        ways[RETRIEVAL, context] = partial(self.frames.answer, question, max_new_tokens=answer_tokens)
        return ways


def compare(
    shape: str, device: str, dtype: str, sizes: Sizes, repeats: int, folder: Path
) -> tuple[list[list[str]], list[Ratio]]:
    """Rows of the table for one shape, and ratios of the first ways to the others."""
    random = random_model(shape, device, dtype)
    captions = [words(CAPTION_WORDS, number) for number in range(50)]
    plain = Settings(max_answer_tokens=sizes.answer_tokens, frames_per_clip=1)
    past = Past(NUM_CAPTIONS, captions, has_thumbnails=False)
    stream = write_past(folder / f"{shape}.db", random.adapter, plain, past)
    frames = seen_stream(random, sizes)
    kept = sum(block.num_bytes for block in frames.frames)
    with Journal.open(folder / f"{shape}.db", read_only=True) as journal:
        ways = Ways(random, journal, stream, frames, sizes)
        found: dict[tuple[str, str], list[Asked]] = {}
        for _ in range(repeats):
            for name, begin in ways.all(sizes.answer_tokens).items():
                found.setdefault(name, []).append(asked(device, begin))
        count_exactly()
        rises = {name: asked(device, begin).cost.rise_bytes for name, begin in ways.all(4).items()}
    weights = random.adapter.info.num_parameters * random.stock.dtype.itemsize
    rows = [
        row(shape, name, runs, rises[name], weights, kept if name[0] == RETRIEVAL else 0)
        for name, runs in sorted(found.items())
    ]
    return rows, ratios_of(shape, found, device.startswith("cuda"))


def ratios_of(shape: str, found: dict[tuple[str, str], list[Asked]], on_cuda: bool) -> list[Ratio]:
    """Keepsight over each other way, in turns with it."""

    def seconds(run: Asked) -> float:
        return run.cost.wall_seconds if on_cuda else run.cost.cpu_seconds

    ratios = []
    for (way, context), runs in found.items():
        for (other_way, other_context), others in found.items():
            if way == "Keepsight" and (other_way == RETRIEVAL or (other_way, other_context) == ("eager", context)):
                values = tuple(seconds(one) / seconds(other) for one, other in zip(runs, others, strict=True))
                ratios.append(Ratio(f"Keepsight / {other_way}, {shape}, {context} tokens of captions", values))
    return ratios


def row(
    shape: str, name: tuple[str, str], runs: list[Asked], rise: int, weight_bytes: int, kept_bytes: int
) -> list[str]:
    """One line of the table."""
    return [
        shape,
        *name,
        f"{median(run.first_seconds for run in runs):.2f}",
        f"{median(run.cost.wall_seconds for run in runs):.2f}",
        f"{median(run.cost.cpu_seconds for run in runs):.2f}",
        f"{rise / 1e9:.2f}",
        f"{weight_bytes / 1e9:.2f}",
        f"{kept_bytes / 1e9:.2f}" if kept_bytes else "0",
    ]


COLUMNS = (
    "model",
    "way",
    "context",
    "first token s",
    "whole answer s",
    "CPU s",
    "GB over weights",
    "weights GB",
    "kept GB",
)


def parse() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description="What a question costs, as a Markdown table.")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", help="float32 on the CPU and float16 on CUDA by default")
    parser.add_argument("--shapes", nargs="+", choices=sorted(SHAPES), help="narrow on the CPU, 0.5b and 7b on CUDA")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--frames", type=int, help="that key-value retrieval has seen; 80 on the CPU, 1800 on CUDA")
    parser.add_argument("--quick", action="store_true", help="a few hundred tokens and one repeat")
    add_ratios_option(parser)
    return parser.parse_args()


def main() -> None:
    """Print the table."""
    options = parse()
    on_cuda = options.device.startswith("cuda")
    dtype = options.dtype or ("float16" if on_cuda else "float32")
    shapes = options.shapes or (["0.5b", "7b"] if on_cuda else ["narrow"])
    frames = options.frames or (1800 if on_cuda else 80)
    # On the CPU a frame attends to few others when it is seen: that changes what is kept, but not what asking costs.
    sizes = Sizes(frames=frames, window_frames=64 if on_cuda else 4)
    repeats = options.repeats
    if options.quick:
        shapes, repeats = ["smallest"], 1
        sizes = Sizes((1_000, 600), question_tokens=16, answer_tokens=8, frames=6, retrieved_frames=4, window_frames=2)
    with tempfile.TemporaryDirectory() as folder:
        found = [compare(shape, options.device, dtype, sizes, repeats, Path(folder)) for shape in shapes]
    rows = [line for lines, _ in found for line in lines]
    write_ratios(options.ratios, [ratio for _, ratios in found for ratio in ratios])
    note = (
        f"Question of {sizes.question_tokens} tokens, answer of {sizes.answer_tokens}, {dtype}, random weights, "
        f"medians of {repeats}; key-value retrieval has seen {sizes.frames} frames. "
        + "; ".join(f"{shape}: {SHAPES[shape].in_words}" for shape in shapes)
        + "."
    )
    print("\n".join([*heading(options.device, note), *table(COLUMNS, rows)]))


if __name__ == "__main__":
    main()
