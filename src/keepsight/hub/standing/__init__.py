"""Standing questions: checked on every new caption, with alerts as events and webhooks."""
