"""The machine that a model runs on: its devices, number formats, CPUs and free memory."""
