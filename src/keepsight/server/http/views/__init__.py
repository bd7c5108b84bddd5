"""JSON forms of requests and responses."""
