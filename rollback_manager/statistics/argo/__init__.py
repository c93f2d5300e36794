"""How Argo Rollouts judges measurements, for those who bring its analyses: measurements.py."""
