"""The experiments of docs/experiments: what is run, its stored tables, and the pages that show them."""
