"""Durable rollback of bad releases, on Temporal.

This package is the domain: what a rollback is. It is pure, without I/O, clock or chance, except
`client`. Import the client from `rollback_manager.client`, the values from their modules.
"""
