"""Clips in which nothing changed (`skip_still`): never one with a change; stored, resumed and asked about."""

import io
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as runs
from hypothesis import strategies as st
from rich.console import Console
from torch import Tensor

from keepsight.asking.answering import answer_question
from keepsight.cli.output import print_citations
from keepsight.engine.session import StreamSession
from keepsight.engine.stream_pipeline import Moment
from keepsight.journal import GapRecord, Journal, Quota, StreamRecord, apply_quota
from keepsight.settings import STILL_THRESHOLD, Settings
from keepsight.spans import Span
from keepsight.video import Frame
from keepsight.video.stillness import CELLS, largest_change, reduced
from tests.fake_model import FakeModel

QUICK = Settings(
    frames_per_clip=4, sample_fps=2.0, retention=0.25, memory_clips=3, max_caption_tokens=32, skip_still=True
)
OFF = replace(QUICK, skip_still=False)
PICTURES = [np.random.default_rng(number).integers(0, 256, (8, 8, 3), dtype=np.uint8) for number in range(6)]


@dataclass
class CountingModel(FakeModel):
    """Counts the clips that it encodes."""

    num_encoded: int = 0

    def encode(self, frames: Sequence[np.ndarray]) -> Tensor:
        self.num_encoded += 1
        return super().encode(frames)


def frames_of(script: Iterable[int], *, per_picture: int = 4) -> list[Frame]:
    """Frames half a second apart: each number names a picture that stands for as long as a clip."""
    numbers = [number for number in script for _ in range(per_picture)]
    return [Frame(PICTURES[number], place / 2) for place, number in enumerate(numbers)]


def begin(journal: Journal, settings: Settings = QUICK, *, is_live: bool = False) -> StreamRecord:
    return journal.streams.begin(
        "camera", "fake", settings.to_json(), is_live=is_live, started_at=datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    )


def watch(
    journal: Journal, stream: StreamRecord, frames: Sequence[Frame], settings: Settings = QUICK
) -> tuple[list[Moment], CountingModel]:
    """Watch frames from where a stream stands, as a new process would, encoding ahead."""
    model = CountingModel()
    session = StreamSession(model, journal, stream, settings)
    first = session.resume_seconds
    return list(session.watch(frame for frame in frames if frame.pts_seconds >= first)), model


def rows_of(path: Path) -> dict[str, list[dict[str, object]]]:
    """All rows of a journal of one stream, without what tells when and how fast they were made."""
    own = {"id", "stream_id", "started_at", "seconds_spent", "stored_unix_seconds"}
    tables = ("streams", "clips", "gaps", "memory", "memory_before_end", "compared_pictures")
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        return {
            table: [
                {name: value for name, value in dict(row).items() if name not in own}
                for row in connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2, 3")
            ]
            for table in tables
        }


pictures = st.tuples(st.integers(0, 2**32 - 1), st.integers(8, 150), st.integers(8, 150)).map(
    lambda drawn: np.random.default_rng(drawn[0]).integers(40, 216, (drawn[1], drawn[2], 3), dtype=np.uint8)
)


@given(pictures, st.integers(0, int(STILL_THRESHOLD)), st.integers(0, 2**32 - 1))
def test_what_differs_nowhere_by_more_than_the_threshold_is_no_change(
    picture: np.ndarray, levels: int, seed: int
) -> None:
    noise = np.random.default_rng(seed).integers(-levels, levels, picture.shape, endpoint=True)
    assert largest_change(reduced(picture), reduced((picture + noise).astype(np.uint8))) <= STILL_THRESHOLD
    assert largest_change(reduced(picture), reduced(picture.copy())) == 0


@given(pictures, st.floats(0, 1), st.floats(0, 1), st.integers(int(STILL_THRESHOLD) + 2, 39), st.sampled_from([-1, 1]))
def test_a_changed_block_is_a_change_wherever_it_is(
    picture: np.ndarray, down: float, right: float, levels: int, sign: int
) -> None:
    """A block of two cells a side covers one of them whole, however it lies."""
    height, width = picture.shape[:2]
    tall, wide = -(-2 * height // CELLS), -(-2 * width // CELLS)
    top, left = round(down * (height - tall)), round(right * (width - wide))
    changed = picture.copy()
    block = changed[top : top + tall, left : left + wide, 1]
    block[:] = (block.astype(int) + sign * levels).astype(np.uint8)
    assert largest_change(reduced(picture), reduced(changed)) > STILL_THRESHOLD


def test_a_still_clip_has_a_line_a_picture_and_nothing_of_the_model(tmp_path: Path) -> None:
    with Journal.create(tmp_path / "journal.db") as journal:
        stream = begin(journal)
        moments, model = watch(journal, stream, frames_of([0, 0, 0, 1, 1, 0]))
        assert [moment.is_still for moment in moments] == [False, True, True, False, True, False]
        assert model.num_encoded == len(model.memory_lengths) == 3
        assert model.memory_lengths == [0, 4, 8]
        assert [moment.caption for moment in moments if moment.is_still] == [
            "nothing changed since 00:01",
            "nothing changed since 00:01",
            "nothing changed since 00:07",
        ]
        assert [clip.still_since for clip in journal.clips.of(stream.id)] == [None, 0, 0, None, 3, None]
        assert [moment.span for moment in moments] == [Span(2.0 * place, 2.0 * place + 2) for place in range(6)]
        for clip in journal.clips.of(stream.id):
            assert clip.has_thumbnail
            assert clip.is_still == (clip.num_visual_tokens == 0) == (clip.num_kept_tokens == 0)
        position = journal.streams.position(stream.id)
        assert (position.next_clip_index, position.num_still_clips, position.num_tokens_seen) == (6, 3, 3 * 16)
        assert journal.memory.held(stream.id) == [0, 3, 5]


def test_captions_are_those_of_a_stream_without_its_still_clips(tmp_path: Path) -> None:
    """Memory, position and drafts of a caption do not depend on how long nothing changed before it."""
    with Journal.create(tmp_path / "journal.db") as journal:
        with_still, _ = watch(journal, begin(journal), frames_of([0, 0, 0, 1, 1, 2, 2, 2, 3, 4, 4]))
        without, _ = watch(journal, begin(journal), frames_of([0, 1, 2, 3, 4]))
    captions = [moment.caption for moment in with_still if not moment.is_still]
    assert captions == [moment.caption for moment in without]
    assert len(captions) == 5


def test_off_every_clip_is_captioned_and_nothing_is_kept_to_compare(tmp_path: Path) -> None:
    """Of a video that never stands still the journal is the same with and without it."""
    frames = {"still": frames_of([0, 0, 0]), "moving": frames_of([0, 1, 2, 3, 4])}
    found = {}
    for name, watched in (("off", OFF), ("on", QUICK)):
        for kind, some in frames.items():
            path = tmp_path / f"{name}-{kind}.db"
            with Journal.create(path) as journal:
                watch(journal, begin(journal, watched), some, watched)
            found[name, kind] = rows_of(path)
    assert len(found["off", "still"]["memory"]) == 3
    assert not found["off", "still"]["compared_pictures"]
    for table in ("clips", "gaps", "memory", "memory_before_end"):
        assert found["off", "moving"][table] == found["on", "moving"][table]


scripts = st.lists(st.integers(0, 2), min_size=1, max_size=9)


@runs(max_examples=10)
@given(scripts, st.lists(st.integers(1, 36), max_size=3), st.integers(2, 6))
def test_watched_piece_by_piece_the_journal_is_that_of_the_whole(
    tmp_path_factory: pytest.TempPathFactory, script: list[int], ends: list[int], per_picture: int
) -> None:
    """Also where a piece ends within a clip, which is then watched again."""
    folder = tmp_path_factory.mktemp("pieces")
    frames = frames_of(script, per_picture=per_picture)
    for name, cuts in (("whole", []), ("pieces", sorted(ends))):
        with Journal.create(folder / f"{name}.db") as journal:
            stream = begin(journal)
            for cut in (*cuts, len(frames)):
                watch(journal, stream, frames[:cut])
    assert rows_of(folder / "pieces.db") == rows_of(folder / "whole.db")


def test_pushed_frames_are_skipped_like_read_ones(tmp_path: Path) -> None:
    frames = frames_of([0, 0, 1, 1, 1, 2, 0, 0])
    for name in ("pushed", "read"):
        with Journal.create(tmp_path / f"{name}.db") as journal:
            stream = begin(journal)
            if name == "read":
                watch(journal, stream, [*frames, Frame(PICTURES[5], 16.0)], QUICK)
                continue
            for start in (0, 13):  # and resumed: frames of the clip that was not stored are pushed again
                session = StreamSession(CountingModel(), journal, stream, QUICK)
                for frame in frames:
                    if frame.pts_seconds >= session.resume_seconds and (start or frame.pts_seconds < 6.5):
                        session.push(frame)
    pushed, read = rows_of(tmp_path / "pushed.db"), rows_of(tmp_path / "read.db")
    assert pushed["clips"] == read["clips"][:8]


def test_a_slow_change_adds_up_until_it_counts(tmp_path: Path) -> None:
    """Dusk: each clip is as bright as the one before but for a level, and still captions go on."""
    frames = [Frame(np.full((8, 8, 3), 200 - place // 4, np.uint8), place / 2) for place in range(200)]
    with Journal.create(tmp_path / "journal.db") as journal:
        moments, _ = watch(journal, begin(journal), frames)
    captioned = [moment.clip_index for moment in moments if not moment.is_still]
    step = int(STILL_THRESHOLD) + 1
    assert captioned == list(range(0, 50, step))


def test_after_a_gap_the_next_clip_is_captioned(tmp_path: Path) -> None:
    """Of what was not watched nothing can be said."""
    still = frames_of([0] * 6)
    broken = [replace(frame, gap_before="lost" if place == 8 else "") for place, frame in enumerate(still)]
    late = [
        replace(frame, pts_seconds=frame.pts_seconds + (2.5 if place >= 8 else 0)) for place, frame in enumerate(still)
    ]
    with Journal.create(tmp_path / "journal.db") as journal:
        for frames in (broken, late):
            moments, _ = watch(journal, begin(journal), frames)
            assert [moment.is_still for moment in moments] == [False, True, False, True, True, True]
        stream = begin(journal)
        session = StreamSession(CountingModel(), journal, stream, QUICK)
        pushed = [session.push(frame) for frame in still[:8]]
        journal.gaps.add(GapRecord(stream.id, Span(4.0, 5.0), "Keepsight was not watching"))
        pushed += [session.push(replace(frame, pts_seconds=frame.pts_seconds + 1)) for frame in still[8:16]]
        assert [moment.is_still for moment in pushed if moment] == [False, True, False, True]


def test_a_question_about_a_still_time_gets_the_caption_before_and_how_long_nothing_changed(tmp_path: Path) -> None:
    with Journal.create(tmp_path / "journal.db") as journal:
        stream = begin(journal)
        moments, model = watch(journal, stream, frames_of([0, *[1] * 9, 2]))
        captions = [moment.caption for moment in moments if not moment.is_still]
        at_noon = answer_question(model, journal, stream, "What is happening?", ask_seconds=12.5)
        assert [(citation.span, citation.caption) for citation in at_noon.citations] == [
            (Span(0.0, 2.0), captions[0]),
            (Span(2.0, 4.0), captions[1]),
            (Span(4.0, 12.0), "nothing changed"),
        ]
        assert model.calls[-1].context.splitlines()[2:5] == [
            f"[00:00-00:02] {captions[0]}",
            f"[00:02-00:04] {captions[1]}",
            "[00:04-00:12] nothing changed",
        ]
        at_end = answer_question(model, journal, stream, "What is happening?")
        assert [citation.clip_index for citation in at_end.citations] == [0, 1, 9, 10]
        assert (at_end.num_captions_left_out, at_end.ask_seconds) == (0, 22.0)


def test_still_clips_take_no_room_from_captions(tmp_path: Path) -> None:
    """However long nothing changed, it costs one line; the budget holds, the line of the still time included."""
    with Journal.create(tmp_path / "journal.db") as journal:
        stream = begin(journal)
        moments, model = watch(journal, stream, frames_of([0, 1, 2, 3, *[4] * 40]))
        lines = [moment.num_line_tokens for moment in moments if not moment.is_still]
        still_line = model.count_tokens("[00:10-01:28] nothing changed\n")
        for budget, num_captions in ((sum(lines) + still_line, 5), (sum(lines) + still_line - 1, 4)):
            asked = replace(QUICK, retrieval_budget_tokens=budget)
            answer = answer_question(model, journal, stream, "dog", settings=asked)
            given = [citation for citation in answer.citations if citation.caption != "nothing changed"]
            assert (len(given), answer.num_captions_left_out) == (num_captions, 5 - num_captions)
            context = model.calls[-1].context.splitlines()[2:-1]
            assert sum(model.count_tokens(f"{line}\n") for line in context) <= budget
        other = FakeModel(name="another")  # embeds and counts again
        assert len(answer_question(other, journal, stream, "dog").citations) == 6


def test_still_clips_are_not_found_by_words_and_lead_to_their_captioned_clip(tmp_path: Path) -> None:
    with Journal.create(tmp_path / "journal.db") as journal:
        stream = begin(journal)
        watch(journal, stream, frames_of([0, 0, 1, 1, 1]))
        assert journal.clips.search("nothing changed") == []
        found = [journal.clips.captioned_by(stream.id, index) for index in range(5)]
        assert [clip and clip.clip_index for clip in found] == [0, 0, 2, 2, 2]
        assert journal.clips.captioned_by(stream.id, 9) is None
        assert journal.clips.last_captions(stream.id, 5) == [clip.caption for clip in (found[0], found[2]) if clip]


def test_a_quota_removes_still_clips_and_keeps_what_the_next_caption_needs(tmp_path: Path) -> None:
    """A night in which nothing happens does not fill the disk, and the stream goes on as if nothing was removed."""
    script = [0, 1, 2, 3, 4, 5, 0, 1, 2, 3, *[3] * 30]
    more = frames_of([*script, 3, 4, 4])
    with Journal.create(tmp_path / "journal.db") as journal:
        stream = begin(journal)
        session = StreamSession(FakeModel(), journal, stream, QUICK)
        for frame in more[: 4 * len(script)]:
            session.push(frame)
        before = journal.streams.position(stream.id)
        apply_quota(journal, Quota(max_bytes=1), datetime.now(UTC))
        left = [clip.clip_index for clip in journal.clips.captions(stream.id)]
        assert left == [*range(2, 10), *range(32, 40)]
        assert journal.streams.position(stream.id) == before
        moments, _ = watch(journal, stream, more)
        (run,) = [one for one in journal.clips.still_runs(stream.id) if one.still_since == 9]
        assert (run.last_index, run.span.end_seconds) == (40, 82.0)
    with Journal.create(tmp_path / "whole.db") as whole:
        expected, _ = watch(whole, begin(whole), more)
    assert [moment.caption for moment in moments] == [moment.caption for moment in expected[-3:]]


def test_the_still_time_after_a_shown_citation_is_shown(tmp_path: Path) -> None:
    """Of more captions than are shown, too: it has no words by which it would be among the closest."""
    with Journal.create(tmp_path / "journal.db") as journal:
        stream = begin(journal)
        moments, model = watch(journal, stream, frames_of([0, 0, 1, 2, 3, 4, 5, 0, 1, 2]))
        first = moments[0].caption
        answer = answer_question(model, journal, stream, f"What of {first}")
        out = io.StringIO()
        print_citations(Console(file=out, width=200), answer)
    lines = [line.strip() for line in out.getvalue().splitlines()]
    assert lines[lines.index(f"00:00-00:02  {first}") + 1] == "00:02-00:04  nothing changed"
    assert sum("nothing changed" in line for line in lines) == 1
    assert len(answer.citations) == 10
