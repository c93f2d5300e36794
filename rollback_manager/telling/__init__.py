"""Who is told of a rollback, of what, and in which words: one model for all channels. Pure."""
