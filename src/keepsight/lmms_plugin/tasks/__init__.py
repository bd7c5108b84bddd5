"""Task files of lmms-eval, and the functions that they name."""
