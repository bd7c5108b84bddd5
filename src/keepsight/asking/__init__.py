"""Question answering: retrieval of captions, evidence, and answers with citations."""
