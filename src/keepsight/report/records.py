"""Records shown by a report, independent of their origin."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from keepsight.errors import SettingError
from keepsight.spans import Span


@dataclass(frozen=True)
class ContactSheet:
    """One JPEG with all frames of a clip, row by row in time order.

    Attributes:
        read_jpeg: returns the encoded image on demand, since those of a long stream exceed memory; empty if it was
            removed meanwhile.
        num_frames: number of frames; the last row may be incomplete.
        columns: frames per row.
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
                raise SettingError(f"{name} of a contact sheet must be at least 1, got {getattr(self, name)}")

    @property
    def rows(self) -> int:
        """Number of rows."""
        return -(-self.num_frames // self.columns)


@dataclass(frozen=True)
class ReportClip:
    """A clip in the report.

    Attributes:
        index: position in the stream, from 0.
        span: its time.
        caption: its caption.
        sheet: its frames, or None if no images were kept.
        kept_indices: indices of kept tokens in the clip, by step, then row.
        token_grid: rows and columns of visual tokens per step.
        frames_per_step: consecutive frames that share a step of tokens.
        in_memory: whether it is in visual memory at the end.
        note: note on missing frames, such as `9 of 16 frames, 3 dropped`; empty if none.
        is_still: whether nothing changed in it, so that it has no caption of its own.
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
    is_still: bool = False


@dataclass(frozen=True)
class ReportGap:
    """A span without frames, and why."""

    span: Span
    reason: str


@dataclass(frozen=True)
class ReportQuestion:
    """A question and its answer.

    Attributes:
        question: the user's question.
        answer: the model's answer.
        asked_at_seconds: stream time of the question.
        cited_clips: indices of clips whose captions were given to the model, in time order.
        num_left_out: captions that did not fit in the prompt.
        answer_model: model that wrote the answer, if known.
        answer_url: server that ran it; None for the model that was loaded.
    """

    question: str
    answer: str
    asked_at_seconds: float
    cited_clips: Sequence[int] = ()
    num_left_out: int = 0
    answer_model: str | None = None
    answer_url: str | None = None


@dataclass(frozen=True)
class Report:
    """Contents of the page.

    Attributes:
        source: name of the video.
        model: name of the model.
        clips: in time order.
        gaps: in time order.
        questions: in order of asking.
        settings: name and value of each setting, as shown.
        figures: name and value of each summary number, as shown after those counted from the clips.
        notes: sentences for the reader, such as on an early end of the video.
    """

    source: str
    model: str
    clips: Sequence[ReportClip]
    gaps: Sequence[ReportGap] = ()
    questions: Sequence[ReportQuestion] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    figures: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
