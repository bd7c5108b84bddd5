-- Streams, what was seen of them, and what was asked. Times are seconds from the stream's start unless named otherwise.

CREATE TABLE streams (
    id TEXT PRIMARY KEY,
    source TEXT NOT NULL,
    model TEXT NOT NULL,
    settings TEXT NOT NULL,                -- JSON object, settings.Settings
    started_at TEXT NOT NULL,              -- ISO 8601, UTC
    end_reason TEXT,                       -- null while the stream is being watched
    end_detail TEXT NOT NULL DEFAULT '',
    end_seconds REAL
);

-- Small columns first: reading captions then never touches the pages that hold pictures.
CREATE TABLE clips (
    id INTEGER PRIMARY KEY,
    stream_id TEXT NOT NULL REFERENCES streams (id) ON DELETE CASCADE,
    clip_index INTEGER NOT NULL CHECK (clip_index >= 0),
    start_seconds REAL NOT NULL,
    end_seconds REAL NOT NULL CHECK (end_seconds >= start_seconds),
    caption TEXT NOT NULL,
    num_line_tokens INTEGER NOT NULL,      -- of the caption's line in a prompt, newline included
    num_visual_tokens INTEGER NOT NULL,
    num_memory_tokens INTEGER NOT NULL,    -- that stood before the clip when it was captioned
    grid_rows INTEGER NOT NULL,            -- visual tokens of one frame
    grid_columns INTEGER NOT NULL,
    seconds_spent REAL NOT NULL,
    frame_seconds BLOB NOT NULL,           -- float64 [num_frames]
    kept_indices BLOB NOT NULL,            -- int32 [num_kept]
    embedding BLOB NOT NULL,               -- float32 [dim]
    scores BLOB NOT NULL,                  -- float32 [num_visual_tokens]
    thumbnail BLOB NOT NULL,               -- JPEG, the clip's frames side by side
    UNIQUE (stream_id, clip_index)
);

CREATE TABLE gaps (
    id INTEGER PRIMARY KEY,
    stream_id TEXT NOT NULL REFERENCES streams (id) ON DELETE CASCADE,
    start_seconds REAL NOT NULL,
    end_seconds REAL NOT NULL CHECK (end_seconds >= start_seconds),
    reason TEXT NOT NULL
);

CREATE TABLE answers (
    id INTEGER PRIMARY KEY,
    stream_id TEXT NOT NULL REFERENCES streams (id) ON DELETE CASCADE,
    asked_at TEXT NOT NULL,                -- ISO 8601, UTC
    ask_seconds REAL NOT NULL,
    question TEXT NOT NULL,
    answer TEXT NOT NULL,
    cited_clips TEXT NOT NULL,             -- JSON list of clip indices, in time order
    num_captions_given INTEGER NOT NULL,
    num_captions_left_out INTEGER NOT NULL
);

-- The visual memory as it stands: one row for each clip that it holds, replaced in the transaction that adds a clip.
CREATE TABLE memory (
    stream_id TEXT NOT NULL REFERENCES streams (id) ON DELETE CASCADE,
    clip_index INTEGER NOT NULL,
    tokens BLOB NOT NULL,                  -- safetensors bytes, one tensor "tokens" [num_kept, dim]
    PRIMARY KEY (stream_id, clip_index)
);

CREATE INDEX gaps_by_stream ON gaps (stream_id, start_seconds);
CREATE INDEX answers_by_stream ON answers (stream_id, ask_seconds);

CREATE VIRTUAL TABLE caption_index USING fts5 (caption, content='clips', content_rowid='id', tokenize='porter unicode61');

CREATE TRIGGER caption_added AFTER INSERT ON clips BEGIN
    INSERT INTO caption_index (rowid, caption) VALUES (new.id, new.caption);
END;

CREATE TRIGGER caption_removed AFTER DELETE ON clips BEGIN
    INSERT INTO caption_index (caption_index, rowid, caption) VALUES ('delete', old.id, old.caption);
END;
