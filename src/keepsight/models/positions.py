"""Where remembered tokens stand: at contiguous positions, or where they stood in the stream.

The paper (section 3, arXiv 2510.17364) puts kept tokens at contiguous positions: their order survives, when and where
in the picture they were seen does not. Whether giving that back helps is open there; `keepsight bench` measures it.
"""

import torch
from torch import Tensor

from keepsight.errors import SettingError


def offsets_within(offsets: Tensor, limit_tokens: int) -> Tensor:
    """Offsets that leave no token outside the model's window: those that reach too far are drawn in.

    A kept token stands for many that were not kept, so the oldest soon lie farther back than any position that the
    model has learnt. Each such token takes the farthest place that is left; the order stays, and the newer tokens keep
    their true distance.

    Args:
        offsets: int64 `[num_memory_tokens]`, strictly falling, 1 or more.
        limit_tokens: the largest offset for which the window has room, at least `num_memory_tokens`.

    Returns:
        int64 `[num_memory_tokens]`, strictly falling, from `limit_tokens` at most to 1 at least.
    """
    return torch.minimum(offsets, limit_tokens - torch.arange(len(offsets), device=offsets.device))


def positions_with_gaps(num_before: int, memory_offsets: Tensor, length: int) -> Tensor:
    """Position ids of a prompt whose memory tokens stand as far before the clip as they did in the stream.

        [0 .. num_before)  memory, with gaps  clip, newline, instruction: contiguous

    The oldest memory token comes right after the chat's opening. Without gaps the ids are 0, 1, 2 ...

    Args:
        num_before: tokens of the chat's opening.
        memory_offsets: int64 `[num_memory_tokens]`, falling: visual tokens from each one to the clip's first token.
        length: tokens of the whole prompt.

    Returns:
        int64 `[1, length]`, strictly rising.

    Raises:
        SettingError: the offsets are no whole numbers that fall to 1 or more, or the prompt has fewer tokens.
    """
    num_memory = memory_offsets.numel()
    if memory_offsets.ndim != 1 or memory_offsets.dtype != torch.int64 or num_before + num_memory > length:
        raise SettingError(
            f"memory_offsets are int64 of shape [num_memory_tokens], at most {length - num_before} of them, "
            f"not {memory_offsets.dtype} of shape {list(memory_offsets.shape)}"
        )
    if num_memory and (int(memory_offsets[-1]) < 1 or bool((memory_offsets.diff() >= 0).any())):
        raise SettingError("memory_offsets fall from each token to the next, and the last one is 1 or more")
    span = int(memory_offsets[0]) if num_memory else 0
    device = memory_offsets.device
    before = torch.arange(num_before, device=device)
    after = torch.arange(length - num_before - num_memory, device=device) + num_before + span
    return torch.cat([before, num_before + span - memory_offsets, after]).unsqueeze(0)
