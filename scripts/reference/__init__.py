"""Pages of the documentation that are written from the code: command line, HTTP routes."""
