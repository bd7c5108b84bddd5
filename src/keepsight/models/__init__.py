"""Adapters around video-language models, and what they share."""
