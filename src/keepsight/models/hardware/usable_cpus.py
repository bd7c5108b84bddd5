"""Number of CPUs that this process may use, within its affinity and the limits of containers."""

import math
import os
from pathlib import Path

from keepsight.models.hardware.control_groups import PROCESS, ControlGroup, control_groups


def usable_cpus(process: Path = PROCESS) -> int:
    """CPUs that the scheduler may give to this process, at least 1; a limit of 1.5 CPUs is 2.

    A container's limit is a share of time on all CPUs of the machine: with a thread for each, all of them are stopped
    for most of every period.

    Args:
        process: folder of the process in `/proc`; missing outside Linux.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limits = [limit for group in control_groups("cpu", process) if (limit := _limit(group)) is not None]
    return max(1, min([allowed, *limits]))


def _limit(group: ControlGroup) -> int | None:
    """CPUs of a group's time limit, rounded up; None without one."""
    if group.version == 2:
        words = group.words("cpu.max")  # "150000 100000", or "max 100000"
    else:
        words = [*group.words("cpu.cfs_quota_us"), *group.words("cpu.cfs_period_us")]  # a quota of -1 is none
    if len(words) != 2 or not all(word.isdecimal() and int(word) for word in words):
        return None
    return math.ceil(int(words[0]) / int(words[1]))
