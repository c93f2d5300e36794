"""What users got of each version, and what the business did: counters, numbers, readings. Pure."""
