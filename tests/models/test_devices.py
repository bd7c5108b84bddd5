"""Threads of torch: one for a small model on the CPU, unless the user says otherwise."""

import os
import subprocess
import sys

import pytest

from keepsight.models.devices import SMALL_MODEL_PARAMETERS

CODE = """
import sys, torch
from keepsight.models.devices import settle_threads
torch.set_num_threads(3)
print(settle_threads(sys.argv[1], int(sys.argv[2])), torch.get_num_threads())
"""


def threads_after(device: str, num_parameters: int, environment: dict[str, str]) -> list[int]:
    """What `settle_threads` returns and leaves behind in a process of its own that had three threads."""
    command = [sys.executable, "-c", CODE, device, str(num_parameters)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return [int(number) for number in done.stdout.split()]


@pytest.mark.parametrize(
    ("device", "num_parameters", "user_threads", "expected"),
    [
        ("cpu", SMALL_MODEL_PARAMETERS - 1, None, 1),
        ("cpu", SMALL_MODEL_PARAMETERS, None, 3),
        ("cpu", 10, "3", 3),
        ("cuda:0", 10, None, 3),
    ],
)
def test_only_a_small_model_on_the_cpu_is_put_on_one_thread(
    monkeypatch: pytest.MonkeyPatch, device: str, num_parameters: int, user_threads: str | None, expected: int
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if user_threads is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", user_threads)
    assert threads_after(device, num_parameters, dict(os.environ)) == [expected, expected]
