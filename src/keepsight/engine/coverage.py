"""Comparison of what was watched of a file with the duration the file states.

Three independent figures must agree: the duration in the container's header, the times of its last packets, and the
spans and gaps in the journal. If more than a clip is missing without explanation, the stream is not complete.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from keepsight.journal import Journal, StreamRecord
from keepsight.settings import Settings
from keepsight.spans import Span, format_clock
from keepsight.video import VideoInfo
from keepsight.video.packet_times import PacketExtent

ONLY_SOUND = "there are no pictures here, only sound"
"""Reason of the gap between the last picture of a file and its end."""


@dataclass(frozen=True)
class Coverage:
    """Result of the comparison.

    Attributes:
        problem: what is missing, in one clause; empty where everything was watched.
        sound_until_seconds: where the file ends, if its pictures end before; None otherwise.
    """

    problem: str = ""
    sound_until_seconds: float | None = None


def check_coverage(
    journal: Journal,
    stream: StreamRecord,
    settings: Settings,
    info: VideoInfo,
    extent: PacketExtent | None,
    from_seconds: float = 0.0,
) -> Coverage:
    """Compare a stream's clips and gaps with the duration its file states.

    Args:
        journal: journal of the stream.
        stream: stream watched to the end of its frames.
        settings: settings of the stream; up to one clip may be missing.
        info: duration and pictures of the file when opened.
        extent: extent of the file's packets; None if it has none.
        from_seconds: start of this run; earlier runs checked what lies before.
    """
    tolerance = settings.frames_per_clip / settings.sample_fps
    claimed = info.duration_seconds
    pictures_end, packets_end = claimed, claimed
    if extent is not None:
        pictures_end, packets_end = extent.pictures_end_seconds, extent.packets_end_seconds
    if pictures_end is None or packets_end is None:
        return Coverage()
    if claimed is not None and claimed - packets_end > tolerance:
        reached = format_clock(packets_end)
        return Coverage(f"the file says it lasts {format_clock(claimed)} and holds nothing after {reached}")
    missing = missing_seconds(journal, stream.id, from_seconds, pictures_end)
    if missing > tolerance:
        return Coverage(f"{format_clock(missing)} of {format_clock(pictures_end)} were not watched")
    if claimed is not None and claimed - pictures_end > tolerance:
        return Coverage(sound_until_seconds=claimed)
    return Coverage()


def missing_seconds(journal: Journal, stream_id: str, from_seconds: float, end_seconds: float) -> float:
    """Seconds between two times that neither a clip nor a gap covers.

    Counted from the first clip, or after the newest clip removed by a quota.
    """
    clips = journal.clips.newest_spans(stream_id)
    gaps = [gap.span for gap in journal.gaps.of(stream_id)]
    start_seconds = max(from_seconds, clips[0].start_seconds if clips else 0.0)
    return uncovered_seconds([*clips, *gaps], start_seconds, end_seconds)


def uncovered_seconds(spans: Iterable[Span], start_seconds: float, end_seconds: float) -> float:
    """Seconds between two times that no span covers."""
    reached, missing = start_seconds, 0.0
    for span in sorted(spans, key=lambda span: span.start_seconds):
        if span.start_seconds >= end_seconds:
            break
        missing += max(0.0, span.start_seconds - reached)
        reached = max(reached, span.end_seconds)
    return missing + max(0.0, end_seconds - reached)
