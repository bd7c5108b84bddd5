"""What is told as it happens, in server-sent events."""
