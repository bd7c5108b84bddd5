"""Ratios of the benchmarks over time, in a file of the repository."""
