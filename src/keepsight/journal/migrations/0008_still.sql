-- Clips in which nothing changed: no caption, no tokens (num_visual_tokens = 0), and what the next clip is compared with.

ALTER TABLE streams ADD COLUMN num_still_clips INTEGER NOT NULL DEFAULT 0;  -- of all there ever were, removed ones too

-- Of the last captioned clip; of the one before, too, while the last may be replaced (last_clip_before_end).
CREATE TABLE compared_pictures (
    stream_id TEXT NOT NULL REFERENCES streams (id) ON DELETE CASCADE,
    clip_index INTEGER NOT NULL,
    frame_seconds REAL NOT NULL,           -- time of the clip's last frame
    picture BLOB NOT NULL,                 -- uint8 [64, 64, 3], that frame reduced
    PRIMARY KEY (stream_id, clip_index)
);

-- Since which captioned clip nothing changed, of each clip in which nothing did. Not in the clips' rows, of which a column
-- added now would lie behind the pictures.
CREATE TABLE still_clips (
    stream_id TEXT NOT NULL,
    clip_index INTEGER NOT NULL,
    still_since INTEGER NOT NULL,
    PRIMARY KEY (stream_id, clip_index),
    FOREIGN KEY (stream_id, clip_index) REFERENCES clips (stream_id, clip_index) ON DELETE CASCADE
) WITHOUT ROWID;

CREATE INDEX captioned_clips ON clips (stream_id, clip_index) WHERE num_visual_tokens > 0;

CREATE TRIGGER still_clip_counted AFTER INSERT ON clips WHEN new.num_visual_tokens = 0 BEGIN
    UPDATE streams SET num_still_clips = num_still_clips + 1 WHERE id = new.stream_id;
END;
