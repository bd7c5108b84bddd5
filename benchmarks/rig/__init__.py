"""What the benchmarks share: models of random weights, measuring, floors, fits, journals and tables."""
