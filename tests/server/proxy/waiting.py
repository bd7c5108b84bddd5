"""Waiting for what a server in another thread will come to."""

import time
from collections.abc import Callable

from served import PATIENCE_SECONDS


def wait_until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)
