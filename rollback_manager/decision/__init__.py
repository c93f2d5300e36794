"""Rollback, fix forward, monitor, or a person looks: the engine and what it rests on. Pure."""
