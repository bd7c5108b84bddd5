"""Large freed blocks go back to the system at once; measured in a process of its own."""

import subprocess
import sys

import pytest

CODE = """
import ctypes, sys
from pathlib import Path
import torch
from keepsight.models.hardware.allocator import return_large_blocks

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

has_limits = sys.argv[1] == "limits" and return_large_blocks()
torch.empty(28 << 20, dtype=torch.uint8).fill_(1)  # glibc raises its own limit to this size once it is freed
torch.empty(1 << 20, dtype=torch.uint8)
before = resident()
blocks = [torch.empty(20 << 20, dtype=torch.uint8).fill_(1) for _ in range(5)]
last = torch.empty(1 << 16, dtype=torch.uint8).fill_(1)  # keeps the heap's end where it is
del blocks
print(has_limits, (resident() - before) >> 20)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other allocators")
@pytest.mark.parametrize(("limits", "held"), [("limits", range(5)), ("none", range(20, 101))])
def test_freed_blocks_are_given_back(limits: str, held: range) -> None:
    done = subprocess.run([sys.executable, "-c", CODE, limits], capture_output=True, text=True, check=True)
    has_limits, megabytes = done.stdout.split()
    assert has_limits == str(limits == "limits")
    assert int(megabytes) in held
