"""Frames as the vision towers want them."""
