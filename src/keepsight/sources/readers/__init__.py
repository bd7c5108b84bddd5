"""One kind of source per file, opened by a function and read as a `reader.Reader`."""
