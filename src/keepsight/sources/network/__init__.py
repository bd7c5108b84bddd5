"""Allowed network addresses, and fetching only from them."""
