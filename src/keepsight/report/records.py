"""What a report shows, as plain records: independent of where they came from."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from keepsight.errors import SettingError
from keepsight.spans import Span


@dataclass(frozen=True)
class ContactSheet:
    """One JPEG with all frames of a clip, row by row in time order.

    Attributes:
        read_jpeg: gives the encoded picture each time it is needed, since those of a long stream do not fit in memory
            together; empty bytes where it has been removed meanwhile.
        num_frames: frames it holds; the last row may be part empty.
        columns: frames in a row.
        frame_width_pixels: width of one frame in the sheet.
        frame_height_pixels: height of one frame in the sheet.
    """

    read_jpeg: Callable[[], bytes]
    num_frames: int
    columns: int
    frame_width_pixels: int
    frame_height_pixels: int

    def __post_init__(self) -> None:
        for name in ("num_frames", "columns", "frame_width_pixels", "frame_height_pixels"):
            if getattr(self, name) < 1:
                raise SettingError(f"{name} of a contact sheet is {getattr(self, name)}, but must be 1 or more")

    @property
    def rows(self) -> int:
        """Rows of frames."""
        return -(-self.num_frames // self.columns)


@dataclass(frozen=True)
class ReportClip:
    """One clip as the report shows it.

    Attributes:
        index: position in the stream, from 0.
        span: its time.
        caption: what the model said of it.
        sheet: its frames, or None when no pictures were kept.
        kept_indices: visual tokens that entered the memory, counted over the clip, step after step, row by row.
        token_grid: rows and columns of visual tokens in one step.
        frames_per_step: neighbouring frames that share a step of tokens.
        in_memory: whether the visual memory holds it at the end.
        note: what is missing of it, such as `9 of 16 frames, 3 dropped`; empty for nothing.
    """

    index: int
    span: Span
    caption: str
    sheet: ContactSheet | None = None
    kept_indices: Sequence[int] = ()
    token_grid: tuple[int, int] = (1, 1)
    frames_per_step: int = 1
    in_memory: bool = False
    note: str = ""


@dataclass(frozen=True)
class ReportGap:
    """A stretch without pictures and why."""

    span: Span
    reason: str


@dataclass(frozen=True)
class ReportQuestion:
    """A question that was asked of the journal.

    Attributes:
        question: the user's words.
        answer: the model's words.
        asked_at_seconds: the stream's time at which it was asked.
        cited_clips: indices of the clips whose captions the model was given, in time order.
        num_left_out: captions that did not fit in the prompt.
    """

    question: str
    answer: str
    asked_at_seconds: float
    cited_clips: Sequence[int] = ()
    num_left_out: int = 0


@dataclass(frozen=True)
class Report:
    """Everything on the page.

    Attributes:
        source: name of the video.
        model: name of the model.
        clips: in time order.
        gaps: in time order.
        questions: in the order they were asked.
        settings: name and value of each setting, as shown.
        figures: name and value of each summary number, as shown; put after those that are counted from the clips.
        notes: sentences that a reader must know, such as an early end of the video.
    """

    source: str
    model: str
    clips: Sequence[ReportClip]
    gaps: Sequence[ReportGap] = ()
    questions: Sequence[ReportQuestion] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    figures: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
