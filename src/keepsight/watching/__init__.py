"""The recurrent loop over one stream: clips in, moments out, all of it durable."""
