"""Standing questions: checked on every new caption, told as events and to webhooks."""
