"""Comparison of methods over data sets, causal and with confidence intervals: what `keepsight bench` runs."""
