"""The computed memory against what the kernel counts for a process, with the real widths of a published model."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.child_process import importing_tests


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux counts the peak of a part of a run")
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_computed_memory_is_near_the_measured(dtype: str) -> None:
    """LLaVA-OneVision 0.5B with three layers of its decoder and two of its tower; takes 1.3 GB in float32."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.footprint", "--case", "llava-0.5b", "--dtype", dtype],
        capture_output=True,
        text=True,
        env=importing_tests() | {"OMP_WAIT_POLICY": "PASSIVE"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    row = next(line for line in done.stdout.splitlines() if line.startswith("| llava-0.5b |"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    computed, measured = (int(cell.replace(",", "")) for cell in cells[3:5])
    assert 500 < measured < 2000  # MB
    assert 0.9 * measured <= computed <= 1.1 * measured
