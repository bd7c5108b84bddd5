"""Where remembered tokens stand: at contiguous positions, or where they stood in the stream.

The paper (section 3, arXiv 2510.17364) puts kept tokens at contiguous positions: their order survives, when and where
in the picture they were seen does not. Whether giving that back helps is open there; `keepsight bench` measures it.
"""

import torch
from torch import Tensor

from keepsight.errors import SettingError


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
        SettingError: the offsets do not fall, reach below 1, or are more than the prompt has room for.
    """
    num_memory = len(memory_offsets)
    falling = bool((memory_offsets.diff() < 0).all()) and (num_memory == 0 or int(memory_offsets[-1]) >= 1)
    if memory_offsets.ndim != 1 or not falling or num_before + num_memory > length:
        raise SettingError(
            f"memory_offsets are whole numbers of 1 and more that fall, at most {length - num_before}; "
            f"these are {num_memory} numbers"
        )
    span = int(memory_offsets[0]) if num_memory else 0
    device = memory_offsets.device
    before = torch.arange(num_before, device=device)
    after = torch.arange(length - num_before - num_memory, device=device) + num_before + span
    return torch.cat([before, num_before + span - memory_offsets, after]).unsqueeze(0)
