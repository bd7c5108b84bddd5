"""What the scores cost: one whole generation with them, without them, and with eager attention.

    python benchmarks/attention.py            # the whole table
    python benchmarks/attention.py --quick    # a small one, to see that it runs

The decoder has the depth and heads of LLaVA-OneVision 7B's (28 layers, 28 query heads over 4 key-value heads) with the
width cut to fit two cores: 16 values a head instead of 128, so 448 instead of 3,584. That is hard on the scores: the
softmax over a row costs the same as in the 7B, while everything it is compared with costs far less.

The default is float32: on a CPU without bfloat16 instructions half precision is several times slower. Eager attention
with `output_attentions` keeps 28 layers x 28 heads x length^2 values, 31 GB at 3,136 tokens. A mode that would not fit
in the free memory is left out, and the table says so; at 1,568 tokens it does fit.

Every figure comes from a process of its own, so that peak memory is its own; the modes take turns within each repeat.
Ratios are of medians. Wall time suffers from other work on the machine, CPU time much less.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

MODES = {
    "sdpa": "plain SDPA",
    "scores": "SDPA with scores",
    "eager-rows": "eager, attentions at decode steps only",
    "eager": "eager with `output_attentions`",
}
NUM_LAYERS, NUM_HEADS, NUM_KEY_VALUE_HEADS = 28, 28, 4
SCORE_LAYERS = (5, 9, 14, 20)
BYTES = {"float32": 4, "bfloat16": 2}


@dataclass(frozen=True)
class Setting:
    """One process's work.

    Attributes:
        mode: key of `MODES`.
        num_tokens: length of the prompt; the second half of it is the clip that is scored.
        num_new_tokens: tokens generated after it.
        head_dim: values a head.
        dtype: number format.
        threads: torch's threads.
    """

    mode: str
    num_tokens: int
    num_new_tokens: int
    head_dim: int
    dtype: str
    threads: int

    @property
    def hidden_size(self) -> int:
        """Width of the decoder."""
        return NUM_HEADS * self.head_dim

    @property
    def attention_bytes(self) -> int:
        """Bytes of the attention matrices alive at once in an eager mode; 0 in the others."""
        matrix = NUM_HEADS * self.num_tokens**2
        kept = {"eager": NUM_LAYERS, "eager-rows": 1}.get(self.mode, 0) * BYTES[self.dtype] * matrix
        return kept + (4 + BYTES[self.dtype]) * matrix if kept else 0  # softmax in float32, and its input


def build_model(setting: Setting) -> Any:
    """A random Qwen2 decoder with the attention of the mode."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    from keepsight.models.attention_rows import register_attention

    attention = {"sdpa": "sdpa", "scores": register_attention()}.get(setting.mode, "eager")
    config = Qwen2Config(
        vocab_size=8192,
        hidden_size=setting.hidden_size,
        intermediate_size=round(setting.hidden_size * 18944 / 3584),
        num_hidden_layers=NUM_LAYERS,
        num_attention_heads=NUM_HEADS,
        num_key_value_heads=NUM_KEY_VALUE_HEADS,
        max_position_embeddings=32768,
        attn_implementation=attention,
        dtype=getattr(torch, setting.dtype),
    )
    torch.manual_seed(0)
    return Qwen2ForCausalLM(config).to(getattr(torch, setting.dtype)).eval()


def recording(model: Any, mode: str) -> Callable[..., Any]:
    """The model's call, asking for attentions where the mode does, and reducing them as the scores are."""
    if not mode.startswith("eager"):
        return model

    def call(**inputs: Any) -> Any:
        is_decode_step = "input_ids" in inputs
        output = model(**inputs, output_attentions=mode == "eager" or is_decode_step)
        if is_decode_step:
            rows = [output.attentions[layer - 1][0, :, -1].float().mean(dim=0) for layer in SCORE_LAYERS]
            assert_finite(sum(rows))
        return output

    return call


def assert_finite(row: Any) -> None:
    """Use the row, and stop the benchmark if the model has gone astray."""
    if not bool(row.isfinite().all()):
        raise SystemExit("attention is not finite")


def measure(setting: Setting) -> dict[str, float]:
    """Run one generation in this process."""
    import torch

    from keepsight.models.attention_rows import ScoreAccumulator
    from keepsight.models.decoding import greedy_tokens

    torch.set_num_threads(setting.threads)
    model = build_model(setting)
    prompt = torch.randn(1, setting.num_tokens, setting.hidden_size).to(model.dtype)
    columns = slice(setting.num_tokens // 2, setting.num_tokens)
    before_bytes = peak_bytes()
    wall, cpu = time.perf_counter(), time.process_time()
    accumulator = ScoreAccumulator(SCORE_LAYERS, columns)
    with accumulator if setting.mode == "scores" else nullcontext():
        tokens = greedy_tokens(recording(model, setting.mode), prompt, frozenset(), setting.num_new_tokens)
        first = next(tokens)
        prefill = time.perf_counter() - wall
        count = len([first, *tokens])
    if setting.mode == "scores":
        assert_finite(accumulator.scores())
    seconds = time.perf_counter() - wall
    return {
        "seconds": seconds,
        "cpu_seconds": time.process_time() - cpu,
        "prefill_seconds": prefill,
        "step_seconds": (seconds - prefill) / max(1, count - 1),
        "peak_bytes": peak_bytes(),
        "added_bytes": peak_bytes() - before_bytes,
    }


def peak_bytes() -> int:
    """Largest resident size of this process so far; Linux counts it in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def measure_apart(setting: Setting) -> dict[str, float]:
    """Run one generation in a process of its own."""
    command = [sys.executable, __file__, "--one", json.dumps(asdict(setting))]
    environment = os.environ | {"OMP_WAIT_POLICY": "PASSIVE", "OMP_NUM_THREADS": str(setting.threads)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{setting} failed with {done.returncode}: {done.stderr.strip()[-500:]}")
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def available_bytes() -> int:
    """Memory that a new process may take now."""
    from keepsight.models.devices import choose_device, free_memory_bytes

    return free_memory_bytes(choose_device("cpu")) or sys.maxsize


def compare(settings: list[Setting], repeats: int) -> dict[str, dict[str, float] | str]:
    """Medians by mode over interleaved repeats, or why a mode was left out."""
    results: dict[str, list[dict[str, float]]] = {}
    left_out: dict[str, dict[str, float] | str] = {}
    for repeat in range(repeats):
        turn = repeat % len(settings)
        for setting in settings[turn:] + settings[:turn]:
            free = available_bytes()
            if setting.attention_bytes > 0.9 * free:
                needed = f"{setting.attention_bytes / 1e9:.0f} GB of attention"
                left_out[setting.mode] = f"left out: {needed}, {free / 1e9:.0f} GB free"
            else:
                results.setdefault(setting.mode, []).append(measure_apart(setting))
                print(f"  {setting.num_tokens} {setting.mode} {results[setting.mode][-1]}", file=sys.stderr)
    names = list(next(iter(results.values()))[0])
    medians = {
        mode: {name: statistics.median(run[name] for run in runs) for name in names} for mode, runs in results.items()
    }
    return left_out | medians


def table_lines(num_tokens: int, results: dict[str, dict[str, float] | str]) -> list[str]:
    """Rows of the Markdown table for one prompt length."""
    plain = results["sdpa"]
    lines = []
    for mode, title in MODES.items():
        found = results.get(mode)
        if isinstance(found, str):
            lines.append(f"| {num_tokens:,} | {title} | {found} | | | | | |")
        elif found is not None and not isinstance(plain, str):
            ratio = {name: found[name] / plain[name] for name in found if plain[name]}
            lines.append(
                f"| {num_tokens:,} | {title} | {found['seconds']:.1f} ({ratio['seconds']:.3f} x) "
                f"| {found['cpu_seconds']:.1f} ({ratio['cpu_seconds']:.3f} x) | {found['prefill_seconds']:.1f} "
                f"| {found['step_seconds'] * 1000:.0f} ({ratio['step_seconds']:.2f} x) "
                f"| {found['peak_bytes'] / 1e9:.2f} ({ratio['peak_bytes']:.2f} x) | {found['added_bytes'] / 1e9:.2f} |"
            )
    return lines


def heading(options: argparse.Namespace) -> list[str]:
    """Versions, machine and the table's head."""
    import torch
    import transformers

    cpu = next((line.split(":")[1].strip() for line in cpu_lines() if line.startswith("model name")), "unknown CPU")
    return [
        f"torch {torch.__version__}, transformers {transformers.__version__}, Python {platform.python_version()}, "
        f"{cpu}, {os.cpu_count()} cores, {options.threads} threads, {options.dtype}",
        "",
        f"{NUM_LAYERS} layers, {NUM_HEADS} query heads over {NUM_KEY_VALUE_HEADS} key-value heads of "
        f"{options.head_dim}, scores on layers {list(SCORE_LAYERS)}, {options.new_tokens} new tokens, "
        f"medians of {options.repeats}",
        "",
        "| prompt tokens | attention | wall s (ratio) | CPU s (ratio) | prefill s | ms a step (ratio) "
        "| peak GB (ratio) | GB over the loaded model |",
        "|---|---|---|---|---|---|---|---|",
    ]


def cpu_lines() -> list[str]:
    """`/proc/cpuinfo`, or nothing where there is none."""
    path = Path("/proc/cpuinfo")
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []


def parse() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description="Cost of the attention scores, as a Markdown table.")
    parser.add_argument("--tokens", type=int, nargs="+", default=[1568, 3136, 6272, 12544], help="prompt lengths")
    parser.add_argument("--new-tokens", type=int, default=32)
    parser.add_argument("--head-dim", type=int, default=16, help="values a head; 128 in the 7B model")
    parser.add_argument("--dtype", choices=sorted(BYTES), default="float32")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--modes", nargs="+", choices=list(MODES), default=list(MODES), help="sdpa is always run")
    parser.add_argument("--quick", action="store_true", help="short prompts and one repeat, to see that it runs")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.quick:
        options.tokens, options.new_tokens, options.repeats = [256, 512], 8, 1
    return options


def main() -> None:
    """Print the table, or run one setting when called by itself."""
    options = parse()
    if options.one:
        setting = Setting(**{field.name: json.loads(options.one)[field.name] for field in fields(Setting)})
        print(json.dumps(measure(setting)))
        return
    lines = heading(options)
    modes = [mode for mode in MODES if mode == "sdpa" or mode in options.modes]
    for num_tokens in options.tokens:
        settings = [
            Setting(mode, num_tokens, options.new_tokens, options.head_dim, options.dtype, options.threads)
            for mode in modes
        ]
        lines += table_lines(num_tokens, compare(settings, options.repeats))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
