"""The key that signs the audit chain, by reference; made at first start where none is named."""

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from activities.secrets import Secrets
from rollback_manager.audit import AuditKey, NoAuditKey
from rollback_manager.errors import PermanentError

MAKE_ONE = "Make one: openssl genpkey -algorithm ed25519"


def audit_key(secrets: Secrets, reference: str) -> Callable[[], AuditKey]:
    """Reads the key anew for each entry: one that was replaced signs the next.

    Raises PermanentError where there is none, TemporaryError while its store does not answer.
    """
    read: dict[str, AuditKey] = {}

    def key() -> AuditKey:
        pem = secrets.resolve(reference, "audit key")
        if pem not in read:
            read.clear()
            read[pem] = _key(pem, reference)
        return read[pem]

    return key


def made_at_first_start(file: Path) -> str:
    """The reference of the key in `file`, which is made for this user alone if it is missing.

    Two processes that start at once get the same one.
    """
    if not file.exists():
        handle, made = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")  # of mode 0600
        with os.fdopen(handle, "w", encoding="ascii") as pem:
            pem.write(AuditKey.pem_of(os.urandom(32)))
        with suppress(FileExistsError):
            os.link(made, file)  # whole or not at all, and never over another one's
        Path(made).unlink()
    return f"file:{file}"


def _key(pem: str, reference: str) -> AuditKey:
    try:
        return AuditKey(pem)
    except NoAuditKey:
        raise PermanentError(
            f"the audit key at {reference} is no Ed25519 private key in PEM",
            effect="Nothing can be audited, so nothing is done.",
            next_step=MAKE_ONE,
        ) from None
