"""The streams of a server and the threads that watch them."""
