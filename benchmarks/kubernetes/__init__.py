"""Rollbacks on a real control plane beside `kubectl rollout undo`, in one run."""
