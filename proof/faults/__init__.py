"""Faults brought in from outside the product: what is between a worker and what it talks to."""
