"""INVITEs of the past, from captures and logs: what the edge was, or would have been, asked about."""
