-- What a source is, by its content and not its name alone, and how the last clip of a file that grows is watched again.

ALTER TABLE streams ADD COLUMN identity TEXT;                              -- JSON, sources.identity; null: not known
ALTER TABLE streams ADD COLUMN video_stream INTEGER;                       -- number in its container; null: not known
ALTER TABLE streams ADD COLUMN other_names TEXT NOT NULL DEFAULT '[]';     -- JSON list: the same content lies there, too
ALTER TABLE streams ADD COLUMN last_clip_before_end INTEGER;               -- index of the clip that the source's end cut

-- What the visual memory held before that clip and lacks since, or holds otherwise.
CREATE TABLE memory_before_end (
    stream_id TEXT NOT NULL REFERENCES streams (id) ON DELETE CASCADE,
    clip_index INTEGER NOT NULL,
    tokens BLOB NOT NULL,
    PRIMARY KEY (stream_id, clip_index)
);

CREATE TRIGGER memory_before_end_counted AFTER INSERT ON memory_before_end BEGIN
    UPDATE streams SET num_bytes = num_bytes + length(new.tokens) WHERE id = new.stream_id;
END;

CREATE TRIGGER memory_before_end_uncounted AFTER DELETE ON memory_before_end BEGIN
    UPDATE streams SET num_bytes = num_bytes - length(old.tokens) WHERE id = old.stream_id;
END;
