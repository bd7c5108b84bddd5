"""When a standing question is told of: it has become so, and the last time is long enough ago."""

from keepsight.journal import CaptionRecord
from keepsight.journal.standing_records import Progress, Step


def step_of(progress: Progress, clip: CaptionRecord, is_true: bool) -> Step:
    """What the next clip comes to.

    It is told of where it was not so in the clip that was checked before (or none was), and where the clip begins at
    least `cooldown_seconds` after that of the last alert did. What becomes so within the cool-down is not told of
    later either, unless it becomes so again.

    Args:
        progress: where checking stands.
        clip: the next one there is; clips before it that are gone count as skipped.
        is_true: what was found of it.
    """
    has_become_so = is_true and not progress.was_true
    last = progress.last_alert_seconds
    is_cool = last is None or clip.span.start_seconds - last >= progress.question.cooldown_seconds
    return Step(
        next_clip_index=clip.clip_index + 1,
        is_true=is_true,
        num_checked=1,
        num_skipped=clip.clip_index - progress.next_clip_index,
        alert=clip if has_become_so and is_cool else None,
    )


def skip_to(progress: Progress, clip_index: int) -> Step:
    """Go on at a clip without looking at those before it; whether it is so stays as it was found last."""
    return Step(clip_index, progress.was_true, num_skipped=clip_index - progress.next_clip_index)
