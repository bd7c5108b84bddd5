"""Many streams behind HTTP: watch, search and ask from a page or a program."""
