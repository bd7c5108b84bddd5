"""Answers from text alone, without transformers, whose import takes longer than everything else that `ask` does."""
