"""Training recipe of the bundled tiny models on the toy world, in resumable stages."""
