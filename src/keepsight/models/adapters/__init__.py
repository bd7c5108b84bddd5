"""One adapter a file for each architecture; `keepsight.models.registry` says which there are."""
