"""Many services at once: in which order, in how many parts, how many by themselves. Pure."""
