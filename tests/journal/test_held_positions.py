"""What the memory holds of each clip is read without a token, and is what the tensors say."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load, save

from keepsight.engine.memory_rows import held_positions
from keepsight.engine.session import StreamSession
from keepsight.journal import Journal, StreamRecord
from keepsight.journal.schema import migrate, shipped_migrations
from keepsight.method.memory import POLICIES
from keepsight.server.http.views.memory import VisualMemoryView, visual_memory_view
from keepsight.settings import Settings
from keepsight.video import Frame
from tests.fake_model import FakeModel
from tests.journal.database_checks import assert_sound

QUICK = Settings(frames_per_clip=4, sample_fps=2.0, retention=0.25, memory_clips=3, max_caption_tokens=32, seed=2)


def watched(journal: Journal, settings: Settings, num_frames: int = 30) -> StreamRecord:
    stream = journal.streams.begin("camera", "fake", settings.to_json())
    session = StreamSession(FakeModel(), journal, stream, settings)
    random = np.random.default_rng(3)
    for number in range(num_frames):
        session.push(Frame(random.integers(0, 256, (8, 8, 3), dtype=np.uint8), number / 2))
    return stream


def squares(view: VisualMemoryView) -> dict[int, list[int]]:
    return {clip.clip_index: clip.kept_indices for clip in view.clips}


def squares_of_tensors(journal: Journal, stream: StreamRecord) -> dict[int, list[int]]:
    """From the rows' own bytes: where each token stood, less the tokens of all clips before."""
    num_visual_tokens = [clip.num_visual_tokens for clip in journal.clips.of(stream.id)]
    return {
        index: [int(position) - sum(num_visual_tokens[:index]) for position in load(row)["positions"]]
        for index, row in journal.memory.of(stream.id)
    }


def spoil_tokens(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE memory SET tokens = x'00'")


@pytest.mark.parametrize("limits", [{}, {"memory_tokens": 7}], ids=["clips", "tokens"])
@pytest.mark.parametrize("policy", POLICIES)
def test_squares_are_those_of_the_tensors_and_need_no_token(
    tmp_path: Path, policy: str, limits: dict[str, Any]
) -> None:
    settings = replace(QUICK, memory_policy=policy, **limits)
    path = tmp_path / "a.db"
    with Journal.create(path) as journal:
        stream = watched(journal, settings)
        expected = squares_of_tensors(journal, stream)
        assert any(expected.values())
    assert_sound(path)
    spoil_tokens(path)
    with Journal.open(path) as journal:
        view = visual_memory_view(journal, stream)
        assert squares(view) == expected
        assert (view.capacity_clips, view.capacity_tokens) == (3, limits.get("memory_tokens"))
        assert view.num_tokens == sum(map(len, expected.values()))


def version_5_of(path: Path, old: Path, *, with_places: bool) -> None:
    """The same journal as version 5 had it; without places, as the first versions wrote their rows."""
    with closing(sqlite3.connect(old, isolation_level=None)) as connection:
        migrate(connection, shipped_migrations()[:5])
        connection.execute("ATTACH ? AS new", (str(path),))
        for table in ("streams", "clips"):
            names = [row[1] for row in connection.execute(f"PRAGMA main.table_info({table})")]
            listed = ", ".join(name for name in names if name != "num_bytes" or table == "streams")
            connection.execute(f"INSERT INTO {table} ({listed}) SELECT {listed} FROM new.{table}")
        counts = "num_tokens_seen, next_clip_index, first_clip_tokens"
        connection.execute(f"UPDATE streams SET ({counts}) = (SELECT {counts} FROM new.streams)")
        for stream_id, index, tokens in connection.execute("SELECT stream_id, clip_index, tokens FROM new.memory"):
            row = tokens if with_places else save({"tokens": load(tokens)["tokens"]})
            for table in ("memory", "memory_before_end"):
                connection.execute(f"INSERT INTO {table} VALUES (?, ?, ?)", (stream_id, index, row))
        connection.execute(
            "UPDATE streams SET num_bytes = (SELECT sum(num_bytes) FROM clips)"
            " + (SELECT sum(length(tokens)) FROM memory) + (SELECT sum(length(tokens)) FROM memory_before_end)"
        )


@pytest.mark.parametrize("with_places", [True, False])
def test_rows_of_earlier_versions_are_read_by_their_tensors(tmp_path: Path, with_places: bool) -> None:
    path, old = tmp_path / "new.db", tmp_path / "old.db"
    with Journal.create(path) as journal:
        stream = watched(journal, QUICK)
        expected = squares_of_tensors(journal, stream)
        rows = journal.memory.of(stream.id)
    version_5_of(path, old, with_places=with_places)
    with Journal.open(old) as journal:
        assert with_places == (journal.memory.of(stream.id) == rows)
        assert all(row.positions is None for row in journal.memory.positions(stream.id))
        assert squares(visual_memory_view(journal, stream)) == expected
        for index, tokens in rows:
            held = held_positions(journal, stream.id)
            journal.memory.put(stream.id, index, tokens, held_clips=held, positions=held[index])
    assert_sound(old)
    spoil_tokens(old)
    with Journal.open(old) as journal:
        assert squares(visual_memory_view(journal, stream)) == expected


def test_positions_come_back_with_the_memory_before_the_last_clip(journal: Journal) -> None:
    stream = watched(journal, QUICK, num_frames=20)
    before = squares_of_tensors(journal, stream)
    with journal.last_clips.keeping(stream.id, 5):
        session = StreamSession(FakeModel(), journal, stream, QUICK)
        for number in range(20, 24):
            session.push(Frame(np.full((8, 8, 3), number, np.uint8), number / 2))
    assert squares(visual_memory_view(journal, stream)) != before
    last = journal.last_clips.of(stream.id)
    assert last is not None
    with journal.last_clips.replacing(stream.id, last):
        pass
    spoil_tokens(journal.path)
    assert squares(visual_memory_view(journal, stream)) == before
