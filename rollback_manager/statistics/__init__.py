"""Numbers in, numbers out: what samples and repeated measurements say about a release. Pure."""
