"""The toy world: synthetic videos with exact captions and questions, for the bundled models."""
