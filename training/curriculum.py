"""Schedule of the watching stage's tasks by step."""

from dataclasses import dataclass

Rules = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Curriculum:
    """Rules `(step, value)`: a value applies from its step on.

    Attributes:
        reading_shares: share of reading steps in the first and second process; their mean if there is only one.
        reading_lines: longest journal, in captions.
        remembering: longest memory before a clip, in clips.
        short: share of watching steps with a few frames only, and their numbers: `(step, share, lengths)`.
        listing_step: step before which the listing heads are inserted (see `listing_heads`), after the easy part is
            learned; None for never.
    """

    reading_shares: tuple[float, float]
    reading_lines: Rules
    remembering: Rules
    short: tuple[tuple[int, float, tuple[int, ...]], ...]
    listing_step: int | None

    def longest_journal(self, step: int) -> int:
        """Longest journal at a step, in captions."""
        return max(lines for since, lines in self.reading_lines if step >= since)

    def longest_memory(self, step: int) -> int:
        """Longest memory at a step, in clips."""
        return max(clips for since, clips in self.remembering if step >= since)

    def glimpses(self, step: int) -> tuple[float, tuple[int, ...]]:
        """Share of glimpses among the watching steps, and their numbers of frames."""
        _, share, lengths = max(rule for rule in self.short if step >= rule[0])
        return share, lengths


FROM_NOTHING = Curriculum(
    reading_shares=(0.0, 0.8),
    reading_lines=((0, 3), (150, 5), (300, 10), (450, 16), (600, 20)),
    remembering=((0, 0), (900, 4), (1150, 16)),
    short=(
        (0, 1.0, (1,)),
        (200, 1.0, (1, 2, 4)),
        (300, 1.0, (2, 4, 8)),
        (500, 1.0, (2, 4, 8, 16, 16)),
        (900, 0.5, (4, 8, 16)),
        (1400, 0.65, (2, 4, 8, 16)),
        (2000, 0.35, (4, 8, 16)),
    ),
    listing_step=2068,
)
"""Curriculum of the first model."""

FROM_THE_FIRST = Curriculum(
    reading_shares=(0.0, 0.35),
    reading_lines=((0, 20),),
    remembering=((0, 4), (60, 16)),
    short=((0, 0.7, (1, 2, 4, 8)), (60, 0.35, (2, 4, 8, 16))),
    listing_step=None,
)
"""For a decoder that already reads journals and has listing heads, and must learn a new vision side."""
