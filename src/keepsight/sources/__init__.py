"""Where frames come from: files, servers, cameras, other programs; decoded in a separate process."""
