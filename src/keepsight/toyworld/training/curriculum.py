"""What the watching stage deals with, and from which step on."""

from dataclasses import dataclass

Rules = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Curriculum:
    """Rules `(step, value)`: a value holds from its step on.

    Attributes:
        reading_shares: share of reading steps in the first and the second process; their mean where there is but one.
        reading_lines: longest journal, in captions.
        remembering: longest memory in front of a clip, in clips.
        short: what share of the watching steps is of a few frames only, and of how many: `(step, share, lengths)`.
        listing_step: before which step the heads for listing are put in (see `listing_heads`): when the easy part has
            been learned; None to leave them out.
    """

    reading_shares: tuple[float, float]
    reading_lines: Rules
    remembering: Rules
    short: tuple[tuple[int, float, tuple[int, ...]], ...]
    listing_step: int | None

    def longest_journal(self, step: int) -> int:
        """In captions, at a step."""
        return max(lines for since, lines in self.reading_lines if step >= since)

    def longest_memory(self, step: int) -> int:
        """In clips, at a step."""
        return max(clips for since, clips in self.remembering if step >= since)

    def glimpses(self, step: int) -> tuple[float, tuple[int, ...]]:
        """Share of glimpses among the watching steps, and how many frames they have."""
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
"""The first model's."""

FROM_THE_FIRST = Curriculum(
    reading_shares=(0.0, 0.35),
    reading_lines=((0, 20),),
    remembering=((0, 4), (60, 16)),
    short=((0, 0.7, (1, 2, 4, 8)), (60, 0.35, (2, 4, 8, 16))),
    listing_step=None,
)
"""For a decoder that can read journals and has its heads for listing, and must get to know another picture side."""
