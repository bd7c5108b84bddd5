"""Files that clients bring, in chunks: beside the journal, under names made here, until their stream is removed."""
