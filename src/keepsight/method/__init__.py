"""The method of the paper, without I/O: selection, visual memory, MMR, the recurrence, prompts (arXiv 2510.17364)."""
