"""Many streams as a service, without HTTP: shared by the web page, MCP and other clients."""
