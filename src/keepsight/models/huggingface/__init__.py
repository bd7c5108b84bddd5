"""Models of the Hugging Face hub: names, snapshots, progress, and what each fault says."""
