"""Freed memory that goes back to the system: by what glibc itself says, and by what the system counts."""

import platform
import re
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")

_SAID = """
import ctypes, threading
from keepsight.hub.freed_memory import give_back, keep_few_heaps
library = ctypes.CDLL(None)
library.malloc.restype = ctypes.c_void_p
library.free.argtypes = (ctypes.c_void_p,)

def held():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

def report():
    library.fopen.restype = ctypes.c_void_p
    file = ctypes.c_void_p(library.fopen(b"/dev/stdout", b"w"))
    library.malloc_info(0, file)
    library.fclose(file)
"""

_HEAPS = """
gate = threading.Barrier(12)
def work():
    gate.wait()
    places = [library.malloc(2000) for _ in range(200)]
    gate.wait()
    for place in places:
        library.free(place)
threads = [threading.Thread(target=work) for _ in range(12)]
for thread in threads: thread.start()
for thread in threads: thread.join()
report()
"""

_FREED = """
places = [library.malloc(60_000) for _ in range(2000)]
for place in places:
    ctypes.memset(place, 1, 60_000)
full = held()
for place in places[:-1]:  # the last one keeps the heap from shrinking by itself
    library.free(place)
freed = held()
print(give_back(), full - freed, freed - held())
"""


def said_by(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", _SAID + code], capture_output=True, text=True, check=True)
    return done.stdout


def test_threads_share_two_heaps() -> None:
    def num_heaps(code: str) -> int:
        return len(re.findall(r"<heap nr=", said_by(code)))

    assert num_heaps("assert keep_few_heaps()" + _HEAPS) <= 2
    assert num_heaps(_HEAPS) > 2


def test_what_is_freed_goes_back_to_the_system() -> None:
    is_given, before, after = said_by(_FREED).split()
    assert is_given == "True"
    assert int(before) < 30e6  # freed alone, it stays with the process
    assert int(after) > 90e6  # of 120 MB
