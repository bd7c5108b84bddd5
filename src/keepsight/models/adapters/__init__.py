"""One adapter per file and architecture; `keepsight.models.registry` lists them."""
