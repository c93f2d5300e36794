"""Temporal's own server on PostgreSQL, as its project publishes it, for proofs and benchmarks."""
