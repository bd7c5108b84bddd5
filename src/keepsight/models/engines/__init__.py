"""Engines: servers that answer over HTTP in place of the model that watches."""
