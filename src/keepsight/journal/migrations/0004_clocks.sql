-- Where the system's clock was set while, or before, a live stream was watched again: what its times stand for.
-- From from_seconds on, second s of the stream was at started_at + s; before, by the row before, or streams.started_at.

CREATE TABLE wall_clocks (
    stream_id TEXT NOT NULL REFERENCES streams (id) ON DELETE CASCADE,
    from_seconds REAL NOT NULL,            -- where a run begins
    started_at TEXT NOT NULL,              -- ISO 8601, UTC
    PRIMARY KEY (stream_id, from_seconds)
) WITHOUT ROWID;
