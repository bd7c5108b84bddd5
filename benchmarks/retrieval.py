"""How long choosing captions takes, on one thread: MMR as set by default, over all captions, and by its definition.

    python -m benchmarks.retrieval                                   # all sizes: minutes, and 3 GB of memory
    python -m benchmarks.retrieval --captions 10000 --dims 896
    python -m benchmarks.retrieval --quick                           # seconds, to see that it runs

Two kinds of journals, both of vectors of length 1. `random`: independent normal vectors. `repetitive`: means of word
embeddings over captions of 200 scenes, some scenes far more frequent than others, with none to three words exchanged,
so that many captions are equal or nearly so. Captions cost 45 or 100 tokens, give or take a third (those of the bundled
model are near 45, of large models near 100); the budget is 10,000 tokens. Times are
CPU time of the process, the best of a few calls, because the machine may be shared.
"""

import argparse
import itertools
import os
import time
from collections.abc import Callable

for _library in ("OMP", "OPENBLAS", "MKL"):  # read once, when NumPy is first imported
    os.environ[f"{_library}_NUM_THREADS"] = "1"

import numpy as np  # noqa: E402
from numpy.typing import NDArray  # noqa: E402

from benchmarks.rig.machine import heading, table  # noqa: E402
from benchmarks.rig.ratios import Ratio, add_ratios_option, write_ratios  # noqa: E402
from keepsight.asking.retrieval import MMR, Recency, Similarity  # noqa: E402
from keepsight.settings import Settings  # noqa: E402

Floats = NDArray[np.float32]
BUDGET_TOKENS = 10_000
VOCABULARY, SCENES = 600, 200


def random_journal(num_captions: int, dim: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Embeddings and query of independent normal numbers."""
    return unit(rng.standard_normal((num_captions, dim), dtype=np.float32)), rng.standard_normal(dim, dtype=np.float32)


def repetitive_journal(num_captions: int, dim: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Embeddings of captions that vary those of a few scenes; the query shares words with one of them."""
    words = rng.standard_normal((VOCABULARY, dim), dtype=np.float32)
    words += 0.3 * rng.standard_normal(dim, dtype=np.float32)
    frequency = 1 / np.arange(2, VOCABULARY + 2)
    frequency /= frequency.sum()
    texts = [rng.choice(VOCABULARY, size=length, p=frequency) for length in rng.integers(12, 30, SCENES)]
    means = np.stack([words[text].sum(axis=0) for text in texts])
    often = 1 / np.arange(1, SCENES + 1)
    scene = rng.choice(SCENES, size=num_captions, p=often / often.sum())
    rows = means[scene]
    num_exchanged = rng.integers(0, 4, num_captions)
    for turn in range(3):
        changed = np.flatnonzero(num_exchanged > turn)
        old = np.array([texts[which][rng.integers(len(texts[which]))] for which in scene[changed]])
        rows[changed] += words[rng.choice(VOCABULARY, size=len(changed), p=frequency)] - words[old]
    query = words[texts[3][:4]].sum(axis=0) + words[rng.choice(VOCABULARY, size=4, p=frequency)].sum(axis=0)
    return unit(rows), query


def unit(rows: Floats) -> Floats:
    """The rows, divided in place by their lengths."""
    rows /= np.sqrt(np.einsum("nd,nd->n", rows, rows))[:, None]
    return rows


def by_definition(rows: Floats, query: Floats, costs: NDArray[np.int64]) -> list[int]:
    """MMR, lambda 1/2, that compares every caption with each one taken: one product with all rows a step."""
    relevance = rows @ (query / np.linalg.norm(query))
    redundancy, left = np.zeros_like(relevance), BUDGET_TOKENS
    taken: list[int] = []
    gone = costs > left
    while not gone.all():
        values = np.where(gone, -np.inf, relevance - redundancy)
        best = int(values.argmax())
        similarity = rows @ rows[best]
        redundancy = np.maximum(redundancy, similarity) if taken else similarity
        taken.append(best)
        left -= int(costs[best])
        gone |= costs > left
        gone[best] = True
    return sorted(taken)


def best_milliseconds(call: Callable[[], object], repeats: int) -> float:
    """Smallest CPU time of a few calls, in milliseconds."""
    times = []
    for _ in range(repeats):
        started = time.process_time()
        call()
        times.append(time.process_time() - started)
    return 1000 * min(times)


def measure(kind: str, num_captions: int, dim: int, caption_tokens: int, repeats: int) -> tuple[list[str], list[Ratio]]:
    """One row of the table, and the cost of MMR over its definition's, where that was run."""
    rng = np.random.default_rng(1)
    make = random_journal if kind == "random" else repetitive_journal
    rows, query = make(num_captions, dim, rng)
    costs = rng.integers(caption_tokens * 2 // 3, caption_tokens * 4 // 3 + 1, num_captions)
    default = MMR(pool_budgets=Settings().mmr_pool_budgets)
    calls: list[Callable[[], list[int]]] = [
        lambda: default.choose(rows, query, costs, BUDGET_TOKENS),
        lambda: MMR().choose(rows, query, costs, BUDGET_TOKENS),
        lambda: Similarity().choose(rows, query, costs, BUDGET_TOKENS),
        lambda: Recency().choose(rows, query, costs, BUDGET_TOKENS),
    ]
    times = [best_milliseconds(call, repeats) for call in calls]
    plain = best_milliseconds(lambda: by_definition(rows, query, costs), 1) if num_captions <= 10_000 else None
    cells = [f"{value:.2f}" for value in times] + [f"{plain:.1f}" if plain is not None else "not run"]
    name = f"MMR / its definition, {kind}, {num_captions} captions of {caption_tokens} tokens, {dim} values"
    ratios = [] if plain is None else [Ratio(name, (times[0] / plain,))]
    return [kind, f"{num_captions:,}", f"{dim}", f"{caption_tokens}", f"{len(calls[0]())}", *cells], ratios


def main() -> None:
    """Print the machine, the versions and the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--captions", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--dims", type=int, nargs="+", default=[256, 896, 3_584])
    parser.add_argument("--caption-tokens", type=int, nargs="+", default=[45, 100])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one small journal of each kind, one repeat")
    add_ratios_option(parser)
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.captions, arguments.dims, arguments.caption_tokens, arguments.repeats = [1_000], [64], [45], 1
    found = [
        measure(kind, num_captions, dim, tokens, arguments.repeats)
        for kind in ("random", "repetitive")
        for num_captions in arguments.captions
        for dim, tokens in itertools.product(arguments.dims, arguments.caption_tokens)
    ]
    write_ratios(arguments.ratios, [ratio for _, ratios in found for ratio in ratios])
    ways = ("MMR", "MMR of all", "similarity", "recency", "definition")
    columns = ("journal", "captions", "values a vector", "tokens a caption", "chosen", *ways)
    note = f"CPU milliseconds on one thread, best of {arguments.repeats}, budget {BUDGET_TOKENS:,} tokens."
    print("\n".join([*heading("cpu", note), *table(columns, [row for row, _ in found])]))


if __name__ == "__main__":
    main()
