"""One kind of source a file: each is opened by a function and read as `reader.Reader` says."""
