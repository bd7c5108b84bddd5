"""Prompts as pieces: chat templates, what stands where, and the positions that follow."""
