"""What requests and answers look like in JSON, and how records become that."""
