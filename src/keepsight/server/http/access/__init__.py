"""Access control and request limits."""
