"""Training items of watching: clips preceded by memory, captions, and questions about what is visible.

The memory is a random subset of earlier clips' tokens. Attention selection, used at inference, takes no part in
training, so the method stays training-free. `training/variants` fills the memory by other rules.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from keepsight.method import prompts
from keepsight.method.protocol import AnswerRequest, DescribeRequest
from keepsight.method.recurrence import offsets_within
from keepsight.method.selection.base import count_kept
from keepsight.models.prompting.positions import GridRule, PieceShape, prompt_positions
from keepsight.spans import Span
from keepsight.toyworld.captions import TrueCaption, clip_spans, true_caption
from keepsight.toyworld.questions import NOW_QUESTIONS, ask, things_in_picture
from keepsight.toyworld.simulate import make_story
from keepsight.toyworld.story import Story
from training.architecture import architecture_of, whole_steps
from training.blueprint import CONTEXT_WINDOW_TOKENS
from training.clip_labels import clip_labels, memory_labels
from training.encoded_stories import (
    FRAMES_PER_CLIP,
    EncodedStory,
    Memory,
    MemoryRule,
    frame_times,
    random_memory,
    seen_tokens,
)
from training.moments import random_moment
from training.packing import Branch, Packed
from training.reading import FIRST_SEED, Reader, random_difficulty

RETENTIONS = (0.0625, 0.0625, 0.125, 0.25)
MEMORY_TOKENS = 180
SEEN_TASKS = ("colour", "what last", "seen", "did", "where")
LIVE_TASKS = ("colour", "where", "what last", "order", "seen")


def clip_item(
    reader: Reader,
    model: Any,
    encoded: EncodedStory,
    clip: int,
    memory_clips: int,
    retention: float,
    rng: random.Random,
    rule: MemoryRule = random_memory,
) -> tuple[Packed, list[str]]:
    """A clip after memory of up to `memory_clips` earlier clips: its caption, and two questions."""
    per_clip = count_kept(encoded.tokens_per_clip, retention)
    first = max(clip - min(memory_clips, MEMORY_TOKENS // per_clip), 0)
    memory = rule(encoded, first, clip, retention, rng)
    truth = true_caption(encoded.story, encoded.spans[clip], encoded.spans[first].start_seconds)
    branches = [reader.caption_branch(truth)]
    tasks = ["caption, past" if any(clause.needs_past for clause in truth.clauses) else "caption"]
    for task in rng.sample(SEEN_TASKS, 2):
        question = ask([truth], task, rng)
        if question is not None:
            branches.append(_asked(reader, question.question, question.answer, [truth]))
            tasks.append("seen question")
    times = frame_times(encoded.spans[clip])
    packed = clip_with_memory(reader, model, encoded, clip, memory, branches)
    labels = memory_labels(encoded.entering, memory.places, packed.visual_start)
    first_now, per_step = packed.visual_start + len(memory.places), architecture_of(model).frames_per_step
    labels += clip_labels(encoded.story, truth, times, first_now, per_step)
    return replace(packed, labels=tuple(labels)), tasks


def clip_with_memory(
    reader: Reader, model: Any, encoded: EncodedStory, clip: int, memory: Memory, branches: list[Branch]
) -> Packed:
    """A clip after memory, and what is asked of it."""
    return _remembered(reader, model, encoded, memory, encoded.tokens[clip], branches, DescribeRequest().max_new_tokens)


def memory_alone(reader: Reader, model: Any, encoded: EncodedStory, memory: Memory, branches: list[Branch]) -> Packed:
    """Memory without a clip, as questions are asked over kept tokens, and what is asked of it."""
    nothing = encoded.tokens[0, :0]
    return _remembered(reader, model, encoded, memory, nothing, branches, AnswerRequest("", "").max_new_tokens)


def whole_clips(
    reader: Reader, model: Any, encoded: EncodedStory, first: int, last: int, branches: list[Branch]
) -> Packed:
    """All frames of the clips `first` to `last - 1`, and what is asked of them."""
    times = [moment for span in encoded.spans[first:last] for moment in frame_times(span)]
    clips = encoded.tokens[first:last].flatten(0, 1)
    return _with_video(reader, model, clips.new_zeros(0, clips.shape[-1]), clips, times, "", branches)


def _remembered(
    reader: Reader,
    model: Any,
    encoded: EncodedStory,
    memory: Memory,
    frames: Tensor,
    branches: list[Branch],
    max_new_tokens: int,
) -> Packed:
    """Memory, then frames `[num_steps, tokens_per_step, dim]` of a clip, or none."""
    times = frame_times(encoded.spans[0])
    packed = _with_video(reader, model, memory.tokens, frames, times, "", branches)
    architecture = architecture_of(model)
    grid = architecture.grid(model, (times[1] - times[0]) * architecture.frames_per_step)
    positions = packed.positions
    if memory.offsets is not None:
        positions = _original_positions(packed, memory.offsets, frames.shape[:-1].numel(), grid, max_new_tokens)
    elif memory.in_picture and positions is not None and grid is not None:
        positions = _positions_in_picture(positions, packed.visual_start, memory, grid)
    return replace(packed, bias=memory.bias, positions=positions)


def _positions_in_picture(positions: Tensor, start: int, memory: Memory, grid: GridRule) -> Tensor:
    """Positions `[3, length]` with rows and columns as in a frame for the memory that starts at an index."""
    cells = torch.tensor([index for _, index in memory.places], dtype=torch.int64) % (grid.rows * grid.columns)
    placed = positions.clone()
    for axis, place in ((1, cells // grid.columns), (2, cells % grid.columns)):
        placed[axis, start : start + len(cells)] = positions[0, start] + place
    return placed


def _original_positions(
    packed: Packed, offsets: Tensor, num_frame_tokens: int, grid: GridRule | None, max_new_tokens: int
) -> Tensor:
    """Positions `[axes, length]` of a prefix whose memory is as far back as in the stream, if the window allows.

    The window leaves the same room as when the first branch's reply is generated.
    """
    num_memory, length = len(offsets), len(packed.prefix_ids)
    around = length - num_memory + len(packed.branches[0].prompt_ids)
    limit = CONTEXT_WINDOW_TOKENS - max_new_tokens - around
    behind = length - packed.visual_start - num_memory - num_frame_tokens
    pieces = [
        PieceShape("text", packed.visual_start),
        PieceShape("memory", num_memory),
        PieceShape("frames", num_frame_tokens),
        PieceShape("text", behind),
    ]
    positions: Any = prompt_positions(pieces, offsets_within(offsets, limit), grid, torch.device("cpu"))
    placed: Tensor = positions
    return placed


@dataclass(frozen=True)
class Glimpse:
    """A few neighbouring frames of a separate story."""

    story: Story
    span: Span
    times: tuple[float, ...]


def random_glimpse(num_frames: int, rng: random.Random) -> Glimpse:
    """Frames from anywhere in a new story, or one synthetic moment with things in unusual places."""
    if num_frames == 1 and rng.random() < 0.5:
        return Glimpse(random_moment(rng), Span(0.0, 1.0), (0.5,))
    difficulty = random_difficulty(rng)
    story = make_story(FIRST_SEED + rng.getrandbits(48), rng.randint(1, 6), difficulty)
    span = rng.choice(clip_spans(story.duration_seconds, difficulty.beat_seconds))
    first = rng.randrange(FRAMES_PER_CLIP - num_frames + 1)
    times = frame_times(span)
    step = times[1] - times[0]
    seen = Span(times[first], times[first] + num_frames * step)
    return Glimpse(story, seen, tuple(times[first : first + num_frames]))


def short_items(
    reader: Reader, model: Any, num_frames: int, num_items: int, rng: random.Random
) -> list[tuple[Packed, list[str]]]:
    """Glimpses without memory, as at the end of a video: caption, content, and a question.

    They teach much at little cost: one frame costs a sixteenth of a clip, and each has its own story.
    """
    glimpses = [random_glimpse(num_frames, rng) for _ in range(num_items)]
    per_step = architecture_of(model).frames_per_step
    moments = [(one.story, moment) for one in glimpses for moment in whole_steps(one.times, per_step)]
    items = []
    for glimpse, tokens in zip(glimpses, seen_tokens(model, moments, rng).chunk(num_items), strict=True):
        truth = true_caption(glimpse.story, glimpse.span, glimpse.span.start_seconds)
        branches = [reader.caption_branch(truth)]
        branches.append(_asked(reader, rng.choice(NOW_QUESTIONS), things_in_picture(glimpse.story, glimpse.times[-1])))
        tasks = [f"caption of {num_frames}", "live now"]
        question = ask([truth], rng.choice(SEEN_TASKS), rng)
        if question is not None:
            branches.append(_asked(reader, question.question, question.answer, [truth]))
            tasks.append("seen question")
        packed = _with_video(reader, model, tokens.new_zeros(0, tokens.shape[-1]), tokens, glimpse.times, "", branches)
        labels = clip_labels(glimpse.story, truth, glimpse.times, packed.visual_start, per_step)
        items.append((replace(packed, labels=tuple(labels)), tasks))
    return items


def live_item(
    reader: Reader, model: Any, encoded: EncodedStory, clip: int, rng: random.Random
) -> tuple[Packed, list[str]]:
    """First frames of an unfinished clip after captions of a few earlier clips, with questions about now and then."""
    num_frames = rng.randint(1, FRAMES_PER_CLIP)
    first = max(clip - rng.randint(0, 5), 0)
    since = encoded.spans[first].start_seconds
    captions: list[TrueCaption] = [true_caption(encoded.story, encoded.spans[c], since) for c in range(first, clip)]
    times = frame_times(encoded.spans[clip])[:num_frames]
    now = things_in_picture(encoded.story, times[-1])
    branches = [_asked(reader, rng.choice(NOW_QUESTIONS), now)]
    tasks = ["live now"]
    for task in rng.sample(LIVE_TASKS, 2) if captions else ():
        question = ask(captions, task, rng)
        if question is not None:
            branches.append(_asked(reader, question.question, question.answer, captions))
            tasks.append("live past")
    lines = [prompts.caption_line(caption.span, caption.text) for caption in captions]
    context = f"\n{prompts.captions_context(lines)}" if lines else ""
    tokens = _unfinished(model, encoded, clip, times, rng)
    packed = _with_video(reader, model, tokens.new_zeros(0, tokens.shape[-1]), tokens, times, context, branches)
    return replace(packed, labels=reader.labels(captions, lines, packed.prefix_ids) if lines else ()), tasks


def _asked(reader: Reader, question: str, answer: str, captions: Sequence[TrueCaption] = ()) -> Branch:
    return reader.question_branch(question, answer, captions, before="\n")


def _unfinished(model: Any, encoded: EncodedStory, clip: int, times: Sequence[float], rng: random.Random) -> Tensor:
    """Tokens of a clip's first frames; an incomplete last step repeats its last frame."""
    per_step = architecture_of(model).frames_per_step
    whole = encoded.tokens[clip, : len(times) // per_step]
    if len(times) % per_step == 0:
        return whole
    rest = seen_tokens(model, [(encoded.story, times[-1])] * per_step, rng)
    return torch.cat([whole.float(), rest])


def _with_video(
    reader: Reader,
    model: Any,
    memory: Tensor,
    clip: Tensor,
    times: Sequence[float],
    context: str,
    branches: list[Branch],
) -> Packed:
    """A user's turn starting with memory and the tokens of frames at times in seconds, then context and branches."""
    architecture = architecture_of(model)
    spacing = (times[-1] - times[0]) / (len(times) - 1) if len(times) > 1 else 0.0
    step_seconds = spacing * architecture.frames_per_step
    video = architecture.video_prefix(reader.tokenizer, model, memory.float(), clip.float(), step_seconds)
    behind = reader.ids(context)
    positions = video.positions
    if positions is not None:
        counted = int(positions.max()) + 1 + torch.arange(len(behind))
        positions = torch.cat([positions, counted.expand(3, -1)], dim=1)
    return Packed((*video.ids, *behind), tuple(branches), video.visual, video.visual_start, positions=positions)
