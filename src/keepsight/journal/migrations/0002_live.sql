-- Streams that are watched while they happen, for as long as there is room: counts of frames, clips that are kept for
-- good, and what a stream needs to go on when its oldest clips are gone.

ALTER TABLE streams ADD COLUMN is_live INTEGER NOT NULL DEFAULT 0;
-- Of all clips that there ever were, removed ones too. The triggers below keep these, in the transaction of each clip.
ALTER TABLE streams ADD COLUMN num_tokens_seen INTEGER NOT NULL DEFAULT 0;
ALTER TABLE streams ADD COLUMN next_clip_index INTEGER NOT NULL DEFAULT 0;
ALTER TABLE streams ADD COLUMN first_clip_tokens INTEGER NOT NULL DEFAULT 0;  -- kept of the first clip
ALTER TABLE streams ADD COLUMN num_bytes INTEGER NOT NULL DEFAULT 0;          -- of the clips and the memory there are

-- Columns added at a row's end would lie behind its pictures, where reading a caption never goes: a new table.
CREATE TABLE clips_with_counts (
    id INTEGER PRIMARY KEY,                -- rises in the order in which clips are stored
    stream_id TEXT NOT NULL REFERENCES streams (id) ON DELETE CASCADE,
    clip_index INTEGER NOT NULL CHECK (clip_index >= 0),
    start_seconds REAL NOT NULL,
    end_seconds REAL NOT NULL CHECK (end_seconds >= start_seconds),
    caption TEXT NOT NULL,
    num_line_tokens INTEGER NOT NULL,      -- of the caption's line in a prompt, newline included
    num_frames_expected INTEGER NOT NULL DEFAULT 0,  -- 0: not known, as many as there are
    num_frames_dropped INTEGER NOT NULL DEFAULT 0,
    media_start_seconds REAL,              -- container's time of the first frame, null where it is the stream's own
    pinned INTEGER NOT NULL DEFAULT 0,     -- never removed by a quota
    stored_unix_seconds REAL NOT NULL,     -- wall clock when it was written
    num_visual_tokens INTEGER NOT NULL,
    num_tokens_before INTEGER NOT NULL,    -- visual tokens of all clips before it, removed ones too
    num_memory_tokens INTEGER NOT NULL,    -- that stood before the clip when it was captioned
    grid_rows INTEGER NOT NULL,            -- visual tokens of one frame
    grid_columns INTEGER NOT NULL,
    seconds_spent REAL NOT NULL,
    frame_seconds BLOB NOT NULL,           -- float64 [num_frames]
    kept_indices BLOB NOT NULL,            -- int32 [num_kept]
    embedding BLOB NOT NULL,               -- float32 [dim]
    scores BLOB NOT NULL,                  -- float32 [num_visual_tokens]
    thumbnail BLOB NOT NULL,               -- JPEG, the clip's frames side by side; empty once a quota removed it
    num_bytes INTEGER NOT NULL GENERATED ALWAYS AS (
        length(CAST(caption AS BLOB)) + length(frame_seconds) + length(kept_indices) + length(embedding)
        + length(scores) + length(thumbnail)
    ) VIRTUAL,
    UNIQUE (stream_id, clip_index)
);

-- When an old clip was written is not known: not after it ended, had it been watched live, and not after now.
INSERT INTO clips_with_counts (
    id, stream_id, clip_index, start_seconds, end_seconds, caption, num_line_tokens, stored_unix_seconds,
    num_visual_tokens, num_tokens_before, num_memory_tokens, grid_rows, grid_columns, seconds_spent, frame_seconds,
    kept_indices, embedding, scores, thumbnail
)
SELECT
    clips.id, stream_id, clip_index, start_seconds, clips.end_seconds, caption, num_line_tokens,
    min(
        coalesce((julianday(started_at) - 2440587.5) * 86400 + clips.end_seconds, 1e18),
        (julianday('now') - 2440587.5) * 86400
    ),
    num_visual_tokens,
    sum(num_visual_tokens) OVER (PARTITION BY stream_id ORDER BY clip_index) - num_visual_tokens,
    num_memory_tokens, grid_rows, grid_columns, seconds_spent, frame_seconds, kept_indices, embedding, scores, thumbnail
FROM clips JOIN streams ON streams.id = stream_id
ORDER BY clips.id;

DROP TABLE clips;
ALTER TABLE clips_with_counts RENAME TO clips;

UPDATE streams SET
    num_tokens_seen = (SELECT coalesce(sum(num_visual_tokens), 0) FROM clips WHERE stream_id = streams.id),
    next_clip_index = (SELECT coalesce(max(clip_index) + 1, 0) FROM clips WHERE stream_id = streams.id),
    first_clip_tokens = coalesce(
        (SELECT length(kept_indices) / 4 FROM clips WHERE stream_id = streams.id ORDER BY clip_index LIMIT 1), 0
    ),
    num_bytes = (SELECT coalesce(sum(num_bytes), 0) FROM clips WHERE stream_id = streams.id)
        + (SELECT coalesce(sum(length(tokens)), 0) FROM memory WHERE stream_id = streams.id);

-- Which clips a quota may take something of, oldest first.
CREATE INDEX clips_by_time ON clips (stored_unix_seconds);
CREATE INDEX thumbnails_by_age ON clips (id) WHERE length(thumbnail) > 0 AND pinned = 0;
CREATE INDEX thumbnails_by_stream ON clips (stream_id, id) WHERE length(thumbnail) > 0 AND pinned = 0;
CREATE INDEX clips_by_stream ON clips (stream_id, id) WHERE pinned = 0;

CREATE TRIGGER caption_added AFTER INSERT ON clips BEGIN
    INSERT INTO caption_index (rowid, caption) VALUES (new.id, new.caption);
END;

CREATE TRIGGER caption_removed AFTER DELETE ON clips BEGIN
    INSERT INTO caption_index (caption_index, rowid, caption) VALUES ('delete', old.id, old.caption);
END;

CREATE TRIGGER clip_counted AFTER INSERT ON clips BEGIN
    UPDATE streams SET
        num_tokens_seen = num_tokens_seen + new.num_visual_tokens,
        first_clip_tokens = CASE next_clip_index WHEN 0 THEN length(new.kept_indices) / 4 ELSE first_clip_tokens END,
        next_clip_index = max(next_clip_index, new.clip_index + 1),
        num_bytes = num_bytes + new.num_bytes
    WHERE id = new.stream_id;
END;

CREATE TRIGGER clip_uncounted AFTER DELETE ON clips BEGIN
    UPDATE streams SET num_bytes = num_bytes - old.num_bytes WHERE id = old.stream_id;
END;

CREATE TRIGGER thumbnail_counted AFTER UPDATE OF thumbnail ON clips BEGIN
    UPDATE streams SET num_bytes = num_bytes + length(new.thumbnail) - length(old.thumbnail) WHERE id = new.stream_id;
END;

CREATE TRIGGER memory_counted AFTER INSERT ON memory BEGIN
    UPDATE streams SET num_bytes = num_bytes + length(new.tokens) WHERE id = new.stream_id;
END;

CREATE TRIGGER memory_changed AFTER UPDATE OF tokens ON memory BEGIN
    UPDATE streams SET num_bytes = num_bytes + length(new.tokens) - length(old.tokens) WHERE id = new.stream_id;
END;

CREATE TRIGGER memory_uncounted AFTER DELETE ON memory BEGIN
    UPDATE streams SET num_bytes = num_bytes - length(old.tokens) WHERE id = old.stream_id;
END;
