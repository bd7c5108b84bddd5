-- Where the tokens of the visual memory stand in the stream, readable without the tokens. The column comes before them,
-- since SQLite reads a row from its start: behind a large BLOB it would cost as much as the BLOB.
-- Rows of earlier versions have none until they are next written; their positions are in `tokens`.

CREATE TABLE memory_with_positions (
    stream_id TEXT NOT NULL REFERENCES streams (id) ON DELETE CASCADE,
    clip_index INTEGER NOT NULL,
    positions BLOB,                        -- int64 [num_kept]; null: not known
    tokens BLOB NOT NULL,                  -- safetensors bytes: "tokens" [num_kept, dim], "positions" and "scores" [num_kept]
    PRIMARY KEY (stream_id, clip_index)
);
INSERT INTO memory_with_positions SELECT stream_id, clip_index, NULL, tokens FROM memory;
DROP TABLE memory;
ALTER TABLE memory_with_positions RENAME TO memory;

CREATE TABLE memory_before_end_with_positions (
    stream_id TEXT NOT NULL REFERENCES streams (id) ON DELETE CASCADE,
    clip_index INTEGER NOT NULL,
    positions BLOB,
    tokens BLOB NOT NULL,
    PRIMARY KEY (stream_id, clip_index)
);
INSERT INTO memory_before_end_with_positions SELECT stream_id, clip_index, NULL, tokens FROM memory_before_end;
DROP TABLE memory_before_end;
ALTER TABLE memory_before_end_with_positions RENAME TO memory_before_end;

CREATE TRIGGER memory_counted AFTER INSERT ON memory BEGIN
    UPDATE streams SET num_bytes = num_bytes + length(new.tokens) + coalesce(length(new.positions), 0)
    WHERE id = new.stream_id;
END;

CREATE TRIGGER memory_changed AFTER UPDATE OF tokens, positions ON memory BEGIN
    UPDATE streams SET num_bytes = num_bytes + length(new.tokens) + coalesce(length(new.positions), 0)
        - length(old.tokens) - coalesce(length(old.positions), 0)
    WHERE id = new.stream_id;
END;

CREATE TRIGGER memory_uncounted AFTER DELETE ON memory BEGIN
    UPDATE streams SET num_bytes = num_bytes - length(old.tokens) - coalesce(length(old.positions), 0)
    WHERE id = old.stream_id;
END;

CREATE TRIGGER memory_before_end_counted AFTER INSERT ON memory_before_end BEGIN
    UPDATE streams SET num_bytes = num_bytes + length(new.tokens) + coalesce(length(new.positions), 0)
    WHERE id = new.stream_id;
END;

CREATE TRIGGER memory_before_end_uncounted AFTER DELETE ON memory_before_end BEGIN
    UPDATE streams SET num_bytes = num_bytes - length(old.tokens) - coalesce(length(old.positions), 0)
    WHERE id = old.stream_id;
END;
