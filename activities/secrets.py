"""The role of secrets: resolved where they are needed, in activities and processes alone.

What every process can read stands in the client, which needs keys of its own; stores of vendors are
given by the wiring.
"""

from rollback_manager.client.secrets import NoSecret, Secrets, SecretStore

__all__ = ["NoSecret", "SecretStore", "Secrets"]
