"""Baselines inside the language model: key-value retrieval (ReKV)."""
