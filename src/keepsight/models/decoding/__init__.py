"""Generation, token by token, with the attention rows that make the scores."""
