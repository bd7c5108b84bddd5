"""What OpenAI's clients understand: a stream is a model, and the last message is a question about it."""
