"""Threads of torch: one for a small model on the CPU, no more than a container may use, unless the user sets them."""

import os
import subprocess
import sys

import pytest

from keepsight.models.hardware.devices import SMALL_MODEL_PARAMETERS

CODE = """
import sys, torch
from keepsight.models.hardware import devices
devices.usable_cpus = lambda: int(sys.argv[3])
torch.set_num_threads(3)
print(devices.settle_threads(sys.argv[1], int(sys.argv[2])), torch.get_num_threads())
"""


def threads_after(device: str, num_parameters: int, num_cpus: int, environment: dict[str, str]) -> list[int]:
    """What `settle_threads` returns and leaves behind in a process of its own that had three threads."""
    command = [sys.executable, "-c", CODE, device, str(num_parameters), str(num_cpus)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return [int(number) for number in done.stdout.split()]


@pytest.mark.parametrize(
    ("device", "num_parameters", "num_cpus", "user_threads", "expected"),
    [
        ("cpu", SMALL_MODEL_PARAMETERS - 1, 64, None, 1),
        ("cpu", SMALL_MODEL_PARAMETERS, 64, None, 3),
        ("cpu", SMALL_MODEL_PARAMETERS, 2, None, 2),
        ("cpu", SMALL_MODEL_PARAMETERS, 2, "3", 3),
        ("cpu", 10, 64, "3", 3),
        ("cuda:0", 10, 1, None, 3),
        ("cuda:0, cuda:1", 10, 1, None, 3),
    ],
)
def test_a_model_on_the_cpu_has_as_many_threads_as_are_of_use(
    monkeypatch: pytest.MonkeyPatch,
    device: str,
    num_parameters: int,
    num_cpus: int,
    user_threads: str | None,
    expected: int,
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if user_threads is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", user_threads)
    assert threads_after(device, num_parameters, num_cpus, dict(os.environ)) == [expected, expected]
