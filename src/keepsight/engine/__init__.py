"""Watching streams: clips in, moments out, stored durably; one stream, or several that share a model."""
