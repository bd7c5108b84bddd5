"""Data-parallel training in two processes, with averaged gradients.

On two cores this is faster than one process with two threads, since so small a decoder parallelises poorly.
"""

from collections.abc import Sequence
from datetime import timedelta

import torch
from torch import Tensor, distributed


def join(rank: int, num_processes: int, port: int) -> None:
    """Join the other processes on this machine; does nothing for a single one."""
    if num_processes > 1:
        address = f"tcp://127.0.0.1:{port}"
        wait = timedelta(minutes=10)
        distributed.init_process_group("gloo", init_method=address, rank=rank, world_size=num_processes, timeout=wait)


def rank() -> int:
    """Number of this process; 0 if alone."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def num_processes() -> int:
    """Number of processes training together."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def share_gradients(parameters: Sequence[Tensor]) -> None:
    """Replace each gradient by its mean over the processes; a missing one counts as zero."""
    if num_processes() == 1:
        return
    gradients = [torch.zeros_like(one) if one.grad is None else one.grad for one in parameters]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    distributed.all_reduce(flat)
    flat /= num_processes()
    for one, mean in zip(parameters, flat.split([one.numel() for one in parameters]), strict=True):
        one.grad = mean.view_as(one)


def all_agree(stop: bool) -> bool:
    """True in every process once any wants to stop."""
    if num_processes() == 1:
        return stop
    wish = torch.tensor(float(stop))
    distributed.all_reduce(wish)
    return bool(wish > 0)
