"""Model Context Protocol: tools for agents, over HTTP next to the API, and over stdio on a journal."""
