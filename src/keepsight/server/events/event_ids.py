"""Ids of a stream's events: which clip and which alert a viewer had last.

Clips are told in the order of their indices, alerts in that of their ids, and an alert may come long after its clip.
So an id says how far both are: `7` is clip 7 and no alert yet, `7.12` is clip 7 and alert 12. A viewer that comes back
with one is told all clips and all alerts after it, each once.
"""

from dataclasses import dataclass

EVENT_ID_PATTERN = r"^(-1|[0-9]{1,16})(\.[0-9]{1,16})?$"
"""What a viewer may come back with; `-1` is before the first clip."""


@dataclass(frozen=True)
class EventId:
    """How far a viewer is.

    Attributes:
        clip_index: of the last clip told, -1 before the first.
        alert_id: of the last alert told, 0 before the first.
    """

    clip_index: int = -1
    alert_id: int = 0

    @classmethod
    def parse(cls, text: str) -> "EventId":
        """The id that a text says, which is of `EVENT_ID_PATTERN`."""
        clip_index, _, alert_id = text.partition(".")
        return cls(int(clip_index), int(alert_id or 0))

    def __str__(self) -> str:
        return f"{self.clip_index}.{self.alert_id}" if self.alert_id else str(self.clip_index)
