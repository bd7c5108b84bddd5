"""Preprocessing of frames for vision towers."""
