"""Tools for agents, by the Model Context Protocol: over HTTP beside the API, and over stdio on a journal alone."""
