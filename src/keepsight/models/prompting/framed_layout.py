"""Layouts with text before each frame: its number, or its time.

    [chat opening, intro][memory, in marks][label][step, in marks][label][step, in marks] ... [outro, instruction ...]

The adapter's text is tokenised together with the chat around it, so a clip without memory has the ids of the stock
processor's prompt. Memory precedes the first step, in one pair of step marks: it looks like one more image, without a
time.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from keepsight.errors import SettingError
from keepsight.method.protocol import DEFAULT_FRAME_SPACING_SECONDS, VisualInput
from keepsight.models.prompting.chat import ChatPrompts
from keepsight.models.prompting.layout import Frames, Memory, Piece


@dataclass(frozen=True)
class FrameMarks:
    """An architecture's text around visual tokens; control tokens in it are recognised.

    Attributes:
        opening: right before tokens of a step or memory.
        closing: right after them.
        labels: before the opening of each step.
        separator: between steps, and between memory and first step.
        intro: before all.
        outro: after all.
        memory_block: maximum memory tokens per pair of marks; None for no limit.
    """

    opening: str
    closing: str
    labels: Sequence[str]
    separator: str = ""
    intro: str = ""
    outro: str = ""
    memory_block: int | None = None


def count_steps(visual: VisualInput, tokens_per_step: int) -> int:
    """Number of steps of whole frames, counting an incomplete one."""
    return -(-len(visual.tokens) // tokens_per_step)


def lay_out_frames(
    prompts: ChatPrompts, text: str, visual: VisualInput, marks: FrameMarks, tokens_per_step: int
) -> list[Piece]:
    """Pieces of a prompt with a label before each step.

    Args:
        prompts: the checkpoint's prompts.
        text: the user's text.
        visual: memory and frames, at least one token.
        marks: marks with one label per step.
        tokens_per_step: visual tokens of a step.
    """
    blocks: list[tuple[str, Memory | Frames]] = []
    if len(visual.memory):
        parts = torch.split(visual.memory, marks.memory_block or len(visual.memory))
        blocks += [("", Memory(part)) for part in parts]
    if len(visual.tokens):
        steps = torch.split(visual.tokens, tokens_per_step)
        blocks += [(label, Frames(step)) for label, step in zip(marks.labels, steps, strict=True)]
    leads = [label + marks.opening for label, _ in blocks]
    inside = [marks.intro + leads[0], *(marks.closing + marks.separator + lead for lead in leads[1:])]
    first, *following = prompts.ids_around(text, [*inside, marks.closing + marks.outro])
    pieces: list[Piece] = [first]
    for (_, block), ids in zip(blocks, following, strict=True):
        pieces += [block, ids]
    return pieces


def step_seconds(visual: VisualInput, num_steps: int, frames_per_step: int = 1) -> list[float]:
    """Time of each step since the first frame: the mean of its first and last frame.

    Counted from the first frame, so prompts do not depend on the stream's age.

    Raises:
        SettingError: there are fewer times than frames.
    """
    seconds = visual.frame_seconds
    if seconds is None:
        seconds = tuple(DEFAULT_FRAME_SPACING_SECONDS * index for index in range(num_steps * frames_per_step))
    steps = [seconds[start : start + frames_per_step] for start in range(0, len(seconds), frames_per_step)]
    if len(steps) < num_steps:
        raise SettingError(f"frame_seconds must have {num_steps} times, one per step of frames, got {len(seconds)}")
    return [(step[0] + step[-1]) / 2 - seconds[0] for step in steps[:num_steps]]
