"""The benchmarks: each runs and prints its tables, and what they compute from sizes and points is right."""

import importlib
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from keepsight.method.protocol import AnswerRequest
from tests.child_process import importing_tests

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
SCRIPTS = sorted(path.stem for path in BENCHMARKS.glob("[!_]*.py"))


@pytest.fixture
def rig() -> dict[str, ModuleType]:
    """The modules that benchmarks share."""
    return {
        name: importlib.import_module(f"benchmarks.rig.{name}") for name in ("fitting", "floor", "measuring", "models")
    }


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS)
def test_a_benchmark_runs_and_prints_tables(script: str) -> None:
    if script == "decode" and shutil.which("ffmpeg") is None:
        pytest.skip("needs the ffmpeg program")
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{script}", "--quick"],
        capture_output=True,
        text=True,
        env=importing_tests() | {"OMP_WAIT_POLICY": "PASSIVE"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    rows = [line for line in done.stdout.splitlines() if line.startswith("|")]
    assert len(rows) >= 3
    assert any(line.startswith("| ---") for line in rows)


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0, 2.0])
def test_an_exponent_is_found(rig: dict[str, ModuleType], exponent: float) -> None:
    sizes = [1, 2, 4, 8, 100]
    line = rig["fitting"].fit_exponent(sizes, [3.0 * size**exponent for size in sizes])
    assert line.slope == pytest.approx(exponent, abs=1e-12)
    assert line.error == pytest.approx(0, abs=1e-12)


def test_a_slope_has_the_error_of_its_closed_form(rig: dict[str, ModuleType]) -> None:
    """Worked out by hand: points (0, 0), (1, 2), (2, 1), (3, 3) have the line 0.3 + 0.8 x."""
    line = rig["fitting"].fit_line([0, 1, 2, 3], [0, 2, 1, 3])
    assert (line.slope, line.intercept) == (pytest.approx(0.8), pytest.approx(0.3))
    # Residuals -0.3, 0.9, -0.9, 0.3: 1.8 over two degrees of freedom, over a spread of 5.
    assert line.error == pytest.approx((1.8 / 2 / 5) ** 0.5)
    assert line.interval == (pytest.approx(0.8 - 4.3027 * line.error, abs=1e-4), pytest.approx(2.6254, abs=1e-3))


@pytest.mark.parametrize("coverage", [0.95])
def test_intervals_of_slopes_hold_as_often_as_they_say(rig: dict[str, ModuleType], coverage: float) -> None:
    rng = np.random.default_rng(0)
    x = np.array([0.0, 0.0, 1.0, 1.0, 10.0, 10.0])
    hits = 0
    for _ in range(2000):
        low, high = rig["fitting"].fit_line(x, 5 + 0.1 * x + rng.standard_normal(6)).interval
        hits += low <= 0.1 <= high
    assert hits / 2000 == pytest.approx(coverage, abs=0.015)


def test_the_floor_counts_the_weights_that_are_multiplied(rig: dict[str, ModuleType]) -> None:
    random = rig["models"].random_model("smallest", "cpu", "float32")
    arithmetic = rig["floor"].ClipArithmetic(random.config, 4)
    decoder, model = random.stock.get_decoder(), random.stock.model

    def weights(part: torch.nn.Module) -> int:
        linear = [layer for layer in part.modules() if isinstance(layer, torch.nn.Linear)]
        return sum(layer.weight.numel() for layer in linear)

    assert arithmetic.block_weights == weights(decoder)
    assert arithmetic.head_weights == weights(random.stock.lm_head)
    assert arithmetic.tower_weights == weights(model.vision_tower)
    assert arithmetic.projector_weights == weights(model.multi_modal_projector)


def test_the_floor_counts_the_keys_and_values_of_the_cache(rig: dict[str, ModuleType]) -> None:
    random = rig["models"].random_model("smallest", "cpu", "float32")
    cache = random.stock(input_ids=torch.arange(10, 17).unsqueeze(0), use_cache=True).past_key_values
    held = sum(layer.keys.nbytes + layer.values.nbytes for layer in cache.layers)
    assert rig["floor"].ClipArithmetic(random.config, 4).key_value_bytes * 7 == held


def test_a_part_takes_the_longer_of_arithmetic_and_bytes(rig: dict[str, ModuleType]) -> None:
    rates = rig["floor"].Rates(flops=100.0, bytes_a_second=10.0)
    assert rig["floor"].Work(flops=200.0, num_bytes=5.0).seconds(rates) == 2.0
    assert rig["floor"].Work(flops=200.0, num_bytes=50.0).seconds(rates) == 5.0


def test_replies_of_random_models_are_as_long_as_they_may_be(rig: dict[str, ModuleType]) -> None:
    adapter, words = rig["models"].random_model("smallest", "cpu", "float32").adapter, rig["models"].words
    assert adapter.count_tokens(words(64)) == 64
    for length in (1, 5, 40):
        assert len(list(adapter.answer(AnswerRequest(words(30), words(8), max_new_tokens=length)))) == length


@pytest.mark.skipif(not Path("/proc/self/clear_refs").is_file(), reason="needs Linux's counters")
def test_a_rise_of_memory_is_seen_and_does_not_stay(rig: dict[str, ModuleType]) -> None:
    size = 200_000_000
    measured = rig["measuring"].measured
    with measured("cpu") as large:
        torch.ones(size, dtype=torch.uint8)
    with measured("cpu") as small:
        torch.ones(1000, dtype=torch.uint8)
    assert large.rise_bytes == pytest.approx(size, rel=0.05)
    assert small.rise_bytes < 0.1 * size
