"""Other methods inside the language model, to compare with: key-value retrieval (ReKV)."""
