-- Questions that every new caption is checked against, how far each stream was checked, and what came of it.

CREATE TABLE standing_questions (
    id TEXT PRIMARY KEY,
    stream_id TEXT REFERENCES streams (id) ON DELETE CASCADE,  -- null: all streams
    question TEXT NOT NULL,
    method TEXT NOT NULL,                  -- how a caption is judged
    cooldown_seconds REAL NOT NULL,        -- of the stream, from one alert to the next
    created_at TEXT NOT NULL,              -- ISO 8601, UTC
    webhook_url TEXT,                      -- as it was given, credentials too; null for none
    webhook_secret TEXT
);

-- Moved on in the transaction that stores the alert. A stream without a row is checked from its first clip.
CREATE TABLE standing_progress (
    question_id TEXT NOT NULL REFERENCES standing_questions (id) ON DELETE CASCADE,
    stream_id TEXT NOT NULL REFERENCES streams (id) ON DELETE CASCADE,
    next_clip_index INTEGER NOT NULL DEFAULT 0,  -- all clips before it were checked, or skipped
    was_true INTEGER NOT NULL DEFAULT 0,   -- of the last clip that was checked
    last_alert_seconds REAL,               -- start of the clip of the last alert
    num_checked INTEGER NOT NULL DEFAULT 0,
    num_skipped INTEGER NOT NULL DEFAULT 0,  -- clips that were gone, came too fast, or could not be checked
    PRIMARY KEY (question_id, stream_id)
) WITHOUT ROWID;

CREATE TABLE alerts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- rises in the order in which alerts are stored, and is never used again
    question_id TEXT NOT NULL REFERENCES standing_questions (id) ON DELETE CASCADE,
    stream_id TEXT NOT NULL REFERENCES streams (id) ON DELETE CASCADE,
    clip_index INTEGER NOT NULL,
    start_seconds REAL NOT NULL,
    end_seconds REAL NOT NULL,
    caption TEXT NOT NULL,                 -- kept here too, since a quota may remove the clip
    alerted_at TEXT NOT NULL,              -- ISO 8601, UTC
    UNIQUE (question_id, stream_id, clip_index)
);

CREATE TABLE deliveries (
    alert_id INTEGER PRIMARY KEY REFERENCES alerts (id) ON DELETE CASCADE,
    delivery_id TEXT NOT NULL,             -- the same at each attempt, so that a receiver can tell repeats
    state TEXT NOT NULL DEFAULT 'waiting',  -- then 'delivered' or 'given up'
    num_attempts INTEGER NOT NULL DEFAULT 0,
    next_unix_seconds REAL NOT NULL,       -- wall clock of the next attempt
    give_up_unix_seconds REAL NOT NULL,
    problem TEXT NOT NULL DEFAULT ''       -- of the last attempt, in words that hold no secret
);

CREATE INDEX alerts_by_question ON alerts (question_id, id);
CREATE INDEX alerts_by_stream ON alerts (stream_id, id);
CREATE INDEX deliveries_waiting ON deliveries (next_unix_seconds) WHERE state = 'waiting';
