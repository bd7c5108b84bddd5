"""Prompts in pieces: chat templates, layout, and positions."""
