"""CPUs of this process: its affinity, and the time limits of control groups given as files."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from keepsight.models.hardware.usable_cpus import usable_cpus
from tests.models.test_free_memory import Tree


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(64)), raising=False)
    return Tree(tmp_path)


@pytest.mark.parametrize(
    ("limit", "expected"),
    [("max 100000", 64), ("200000 100000", 2), ("150000 100000", 2), ("50000 100000", 1), ("9900000 100000", 64)],
)
def test_a_limit_of_version_2_is_a_share_of_time(tree: Tree, limit: str, expected: int) -> None:
    tree.mounted("0::/\n", "cgroup2", "rw")
    tree.group(".", {"cpu.max": limit})
    assert usable_cpus(tree.process) == expected


def test_the_smallest_limit_above_a_group_counts(tree: Tree) -> None:
    tree.mounted("0::/a/b\n", "cgroup2", "rw")
    tree.group("a/b", {"cpu.max": "800000 100000"})
    tree.group("a", {"cpu.max": "300000 100000"})
    assert usable_cpus(tree.process) == 3
    tree.group("a", {"cpu.max": "max 100000"})
    assert usable_cpus(tree.process) == 8


@pytest.mark.parametrize(("quota", "expected"), [("-1", 64), ("400000", 4), ("410000", 5)])
def test_a_limit_of_version_1(tree: Tree, quota: str, expected: int) -> None:
    tree.mounted("4:memory:/x\n3:cpu,cpuacct:/x\n0::/\n", "cgroup", "rw,cpu,cpuacct")
    tree.group("x", {"cpu.cfs_quota_us": quota, "cpu.cfs_period_us": "100000"})
    assert usable_cpus(tree.process) == expected


@pytest.mark.parametrize("content", ["", "max", "100000", "0 0", "100000 0", "a b"])
def test_a_file_that_says_nothing_limits_nothing(tree: Tree, content: str) -> None:
    tree.mounted("0::/\n", "cgroup2", "rw")
    tree.group(".", {"cpu.max": content})
    assert usable_cpus(tree.process) == 64


def test_without_control_groups_it_is_the_affinity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 5, 7}, raising=False)
    assert usable_cpus(tmp_path / "nowhere") == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert usable_cpus(tmp_path / "nowhere") == 1


def test_a_process_bound_to_one_cpu_uses_one() -> None:
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("the system has no affinity")
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); "
        "from keepsight.models.hardware.usable_cpus import usable_cpus; print(usable_cpus())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"
