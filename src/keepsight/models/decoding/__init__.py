"""Token-by-token generation, with the attention rows for scores."""
