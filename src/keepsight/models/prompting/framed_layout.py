"""Layouts in which text stands before each frame: its number, or its time.

    [chat opening, intro][memory, in marks][label][step, in marks][label][step, in marks] ... [outro, instruction ...]

The adapter's text is tokenised together with the chat around it, so a clip without memory has the ids that the stock
processor's whole prompt has. The memory stands before the first step, in a row, in one pair of the marks that a step
has: what is remembered looks like one more picture, an old one without a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from keepsight.errors import SettingError
from keepsight.models.prompting.chat import ChatPrompts
from keepsight.models.prompting.layout import Frames, Memory, Piece
from keepsight.models.protocol import DEFAULT_FRAME_SPACING_SECONDS, VisualInput


@dataclass(frozen=True)
class FrameMarks:
    """An architecture's text around visual tokens; control tokens in it are honoured.

    Attributes:
        opening: right before the tokens of a step, and of the memory.
        closing: right after them.
        labels: before the opening of each step, one for each.
        separator: between steps, and between memory and first step.
        intro: before all.
        outro: after all.
        memory_block: most tokens of the memory between one pair of marks; None for all.
    """

    opening: str
    closing: str
    labels: Sequence[str]
    separator: str = ""
    intro: str = ""
    outro: str = ""
    memory_block: int | None = None


def count_steps(visual: VisualInput, tokens_per_step: int) -> int:
    """Steps that the tokens of whole frames make, the last of them perhaps cut short."""
    return -(-len(visual.tokens) // tokens_per_step)


def lay_out_frames(
    prompts: ChatPrompts, text: str, visual: VisualInput, marks: FrameMarks, tokens_per_step: int
) -> list[Piece]:
    """The pieces of a prompt with a label before each step.

    Args:
        prompts: of the checkpoint.
        text: of the user.
        visual: memory and frames, at least one token.
        marks: as many labels as there are steps.
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
    """Time of each step since the first frame: the mean of its first and its last frame.

    Counted from the first frame, not from the stream's beginning, so that prompts look alike however old a stream is.

    Raises:
        SettingError: there are fewer times than frames.
    """
    seconds = visual.frame_seconds
    if seconds is None:
        seconds = tuple(DEFAULT_FRAME_SPACING_SECONDS * index for index in range(num_steps * frames_per_step))
    steps = [seconds[start : start + frames_per_step] for start in range(0, len(seconds), frames_per_step)]
    if len(steps) < num_steps:
        raise SettingError(f"frame_seconds has {len(seconds)} times, but the tokens are {num_steps} steps of frames")
    return [(step[0] + step[-1]) / 2 - seconds[0] for step in steps[:num_steps]]
