"""Metrics, logs and traces: what the one who runs a server sees of it."""
