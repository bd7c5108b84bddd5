"""OpenAI-compatible API: a stream is a model, and the last message is a question about it."""
