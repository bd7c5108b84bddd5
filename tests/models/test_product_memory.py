"""What a product of matrices in bfloat16 takes beside its output on a CPU; measured in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from keepsight.models.hardware.number_formats import sums_apart
from tests.child_process import importing_tests

CODE = """
import torch
from benchmarks.rig.resident import Resident, peak_bytes, reset_peak
from keepsight.models.hardware.allocator import return_large_blocks

return_large_blocks()
torch.set_num_threads(1)
left, right = (torch.ones(4096, 64, dtype=torch.bfloat16) for _ in range(2))
for _ in range(2):  # the first one loads kernels
    before = Resident.now().total
    reset_peak()
    product = torch.nn.functional.linear(left, right)
    beside = peak_bytes() - before - product.nbytes
    assert product.flatten()[0] == 64
    del product
print(beside / 4096**2)
"""


def beside_output(**variables: str) -> float:
    """Bytes per value of the output."""
    environment = importing_tests() | {"OMP_WAIT_POLICY": "PASSIVE"} | variables
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return float(done.stdout)


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux counts the peak of a part of a run")
@pytest.mark.skipif("ONEDNN_MAX_CPU_ISA" in os.environ, reason="kernels are chosen by hand")
def test_a_product_has_a_float32_copy_where_it_is_said_to() -> None:
    expected = 4 if sums_apart(torch.device("cpu"), torch.bfloat16) else 0
    assert beside_output() == pytest.approx(expected, abs=0.2)
    if torch.backends.cpu.get_cpu_capability() == "AVX512":  # without the instructions for bfloat16 that it may have
        assert beside_output(ONEDNN_MAX_CPU_ISA="AVX512_CORE") == pytest.approx(4, abs=0.2)
