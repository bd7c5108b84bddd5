"""HTTP, MCP and telemetry around the hub: watch, search and ask from a page or a program."""
