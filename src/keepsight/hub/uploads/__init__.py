"""Files uploaded in chunks, stored next to the journal under generated names until their stream is removed."""
