-- Which weights a model's name stood for and in which format they ran, so that a question finds the same model again.

ALTER TABLE streams ADD COLUMN checkpoint TEXT;      -- bundled name, absolute folder, or hub id with commit; null: not known
ALTER TABLE streams ADD COLUMN dtype TEXT;           -- such as bfloat16; null: not known
ALTER TABLE streams ADD COLUMN quantization TEXT;    -- int8 or int4; null: none, or not known
ALTER TABLE streams ADD COLUMN fingerprint TEXT;     -- digest of configuration and weights; null: not known
ALTER TABLE streams ADD COLUMN choices TEXT NOT NULL DEFAULT '{}';    -- JSON: settings of the model, without defaults
