"""Models that separate training from method: the bundled `tiny`, trained on with memories filled by other rules."""
