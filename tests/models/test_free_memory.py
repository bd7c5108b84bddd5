"""Free memory: the system's, within control groups given as files, and of devices given as fakes of torch's calls."""

from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import torch

from keepsight.models.hardware import free_memory
from keepsight.models.hardware.free_memory import free_memory_bytes, host_free_bytes

GIB = 2**30
CPU, CUDA, MPS = torch.device("cpu"), torch.device("cuda:1"), torch.device("mps")


@pytest.fixture(autouse=True)
def _eight_gib_available(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=8 * GIB, total=16 * GIB))


class Tree:
    """A `/proc/self` and a mounted tree of control groups, as files."""

    def __init__(self, folder: Path) -> None:
        self.process, self.mount = folder / "self", folder / "fs"
        self.process.mkdir()
        self.mount.mkdir()

    def mounted(self, cgroup: str, kind: str, options: str, root: str = "/") -> None:
        (self.process / "cgroup").write_text(cgroup)
        line = f"31 23 0:28 {root} {self.mount} rw,relatime shared:9 - {kind} cgroup {options}\n"
        (self.process / "mountinfo").write_text(f"22 1 8:1 / / rw - ext4 /dev/sda rw\n{line}")

    def group(self, path: str, files: dict[str, str]) -> None:
        folder = self.mount / path
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_text(f"{content}\n")


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def test_on_linux_it_is_no_more_than_the_kernel_says(monkeypatch: pytest.MonkeyPatch) -> None:
    meminfo = Path("/proc/meminfo")
    if not meminfo.is_file():
        pytest.skip("the system has no /proc/meminfo")
    monkeypatch.undo()
    total = int(meminfo.read_text().split("MemTotal:")[1].split()[0]) * 1024
    free = free_memory_bytes(CPU)
    assert free is not None
    assert 0 < free <= total


def test_without_control_groups_it_is_what_the_system_has_available(tmp_path: Path) -> None:
    assert host_free_bytes(tmp_path / "nowhere") == 8 * GIB


def test_a_limit_of_version_2_counts_with_its_cached_files_as_free(tree: Tree) -> None:
    tree.mounted("0::/app\n", "cgroup2", "rw")
    stat = f"anon 7\nfile {3 * GIB}\ninactive_file {GIB}\nactive_file {GIB // 2}\nshmem {GIB}"
    tree.group("app", {"memory.max": f"{4 * GIB}", "memory.current": f"{3 * GIB}", "memory.stat": stat})
    assert host_free_bytes(tree.process) == 4 * GIB - (3 * GIB - GIB - GIB // 2)


def test_the_tightest_group_on_the_way_up_decides(tree: Tree) -> None:
    tree.mounted("0::/slice/app\n", "cgroup2", "rw")
    tree.group("slice/app", {"memory.max": "max", "memory.high": "max", "memory.current": "5", "memory.stat": ""})
    tree.group("slice", {"memory.max": f"{6 * GIB}", "memory.high": f"{5 * GIB}", "memory.current": f"{3 * GIB}"})
    tree.group("", {"memory.max": f"{7 * GIB}", "memory.current": f"{GIB}"})
    assert host_free_bytes(tree.process) == 2 * GIB


def test_a_container_that_sees_its_group_as_the_root_is_limited_by_it(tree: Tree) -> None:
    tree.mounted("4:memory:/docker/abc\n3:cpuset:/\n", "cgroup", "rw,memory", root="/docker/abc")
    stat = f"inactive_file 1\ntotal_inactive_file {GIB}\ntotal_active_file 0"
    used = {"memory.usage_in_bytes": f"{2 * GIB}", "memory.stat": stat}
    tree.group("", {"memory.limit_in_bytes": f"{3 * GIB}", **used})
    assert host_free_bytes(tree.process) == 2 * GIB


def test_a_path_of_the_host_that_the_container_does_not_see_is_the_mount_itself(tree: Tree) -> None:
    tree.mounted("4:cpu,memory:/kubepods/pod7\n", "cgroup", "rw,cpu,memory")
    tree.group("", {"memory.limit_in_bytes": f"{GIB}", "memory.usage_in_bytes": "0"})
    assert host_free_bytes(tree.process) == GIB


def test_a_group_outside_of_the_containers_namespace_is_the_mount_itself(tree: Tree) -> None:
    tree.mounted("0::/../other\n", "cgroup2", "rw")
    tree.group("", {"memory.max": f"{GIB}", "memory.current": "0", "memory.stat": ""})
    assert host_free_bytes(tree.process) == GIB


def test_version_1_without_a_limit_has_a_number_beyond_all_memory(tree: Tree) -> None:
    tree.mounted("4:memory:/\n0::/\n", "cgroup", "rw,memory")
    tree.group("", {"memory.limit_in_bytes": "9223372036854771712", "memory.usage_in_bytes": f"{20 * GIB}"})
    assert host_free_bytes(tree.process) == 8 * GIB


def test_a_group_beyond_its_limit_has_nothing_free(tree: Tree) -> None:
    tree.mounted("0::/\n", "cgroup2", "rw")
    tree.group("", {"memory.max": f"{GIB}", "memory.current": f"{2 * GIB}", "memory.stat": ""})
    assert host_free_bytes(tree.process) == 0


def test_mounts_of_other_controllers_are_passed_over(tree: Tree) -> None:
    tree.mounted("4:memory:/\n", "cgroup", "rw,cpuacct")
    tree.group("", {"memory.limit_in_bytes": "5", "memory.usage_in_bytes": "0"})
    assert host_free_bytes(tree.process) == 8 * GIB


def test_the_cpu_has_what_the_host_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(free_memory, "host_free_bytes", lambda: 5)
    assert free_memory_bytes(CPU) == 5


def test_cuda_is_asked_for_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (3 if device == CUDA else 4, 9))
    assert free_memory_bytes(CUDA) == 3


@pytest.mark.parametrize(("recommended", "in_use", "host", "free"), [(9, 2, 8, 7), (9, 2, 5, 5), (9, 10, 5, 0)])
def test_mps_has_the_smaller_of_metals_limit_and_the_hosts_memory(
    monkeypatch: pytest.MonkeyPatch, recommended: int, in_use: int, host: int, free: int
) -> None:
    monkeypatch.setattr(torch.mps, "recommended_max_memory", lambda: recommended)
    monkeypatch.setattr(torch.mps, "driver_allocated_memory", lambda: in_use)
    monkeypatch.setattr(free_memory, "host_free_bytes", lambda: host)
    assert free_memory_bytes(MPS) == free


def test_of_an_unknown_device_nothing_is_known() -> None:
    assert free_memory_bytes(torch.device("meta")) is None
