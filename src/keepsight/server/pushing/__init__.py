"""Frames that clients push over HTTP: from a request's body to the thread that watches, a message at a time.

The thread sees what it would see of a program that pushes on a pipe (`sources.readers.pushed`). It takes messages as
fast as they come; what the model is too slow for is dropped behind it, by the rule for live sources, and counted.
"""
