"""Frames pushed by clients over HTTP, from request body to watching thread, one message at a time.

The thread sees what a program pushing to a pipe would send (`sources.readers.pushed`), and reads messages as fast as
they come. Frames pushed in real time that exceed the model's rate are dropped and counted, as for live sources; frames
pushed faster than real time wait.
"""
