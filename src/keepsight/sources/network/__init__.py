"""Addresses that may be connected to, and fetching from them and from nowhere else."""
