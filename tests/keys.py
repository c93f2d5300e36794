"""Keyrings for tests, in a file that is edited while everything runs."""

import base64
import json
from pathlib import Path

from rollback_manager.client.keyring import KeyringByReference
from rollback_manager.client.secrets import Secrets

OLD, NEW = (base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2))


def write(file: Path, current: str = "old", accepts_plaintext: bool = False, **keys: str) -> Path:
    """The keyring in `file`; without keys it has the old one alone."""
    known = keys or {"old": OLD}
    document = {"current": current, "keys": known, "accepts_plaintext": accepts_plaintext}
    file.write_text(json.dumps(document))
    return file


def ring(file: Path) -> KeyringByReference:
    """The keyring by reference, never older than the file."""
    now = iter(range(0, 10**9, 1000))
    return KeyringByReference(Secrets(), f"file:{file}", clock=lambda: float(next(now)))
