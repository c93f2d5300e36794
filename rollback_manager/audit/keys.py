"""The key that signs the chain: Ed25519, and none that signs anything else.

The id of a key is its public half itself, so that nobody has to look one up: what remains to be
decided is which ids are trusted.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # who only names entries, as the client does, need not have it installed
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

FOR = b"rollback-manager audit entry\n"
"""Stands before what is signed: a signature made for another purpose is none here."""
KIND = "ed25519:"


class NoAuditKey(Exception):
    """A text that is no Ed25519 private key in PEM; it says nothing of what is in it."""


class AuditKey:
    """The private half. pem: PKCS 8, as `openssl genpkey -algorithm ed25519` writes it."""

    def __init__(self, pem: str) -> None:
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        self._key = _read(pem)
        public = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.id = KIND + base64.urlsafe_b64encode(public).decode().rstrip("=")

    @classmethod
    def pem_of(cls, seed: bytes) -> str:
        """The key of 32 random bytes, in the form in which it is kept."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import (
            Encoding,
            NoEncryption,
            PrivateFormat,
        )

        key = Ed25519PrivateKey.from_private_bytes(seed)
        return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    def sign(self, digest: str) -> str:
        """Signature of an entry's hash, base64url."""
        return base64.urlsafe_b64encode(self._key.sign(FOR + digest.encode())).decode()


class PublicKeys:
    """Public halves, each read once."""

    def __init__(self) -> None:
        self._known: dict[str, Ed25519PublicKey | None] = {}

    def has_signed(self, key_id: str, digest: str, sig: str) -> bool:
        """Whether the key of this id signed this hash; False also where the id is none."""
        from cryptography.exceptions import InvalidSignature

        if key_id not in self._known:
            self._known[key_id] = _public(key_id)
        key = self._known[key_id]
        if key is None:
            return False
        try:
            key.verify(base64.urlsafe_b64decode(sig), FOR + digest.encode())
        except (InvalidSignature, ValueError):
            return False
        return True


def is_signed(key_id: str, digest: str, sig: str) -> bool:
    """The same for a single one."""
    return PublicKeys().has_signed(key_id, digest, sig)


def _read(pem: str) -> Ed25519PrivateKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise NoAuditKey from None
    if not isinstance(key, Ed25519PrivateKey):
        raise NoAuditKey
    return key


def _public(key_id: str) -> Ed25519PublicKey | None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    kind, _, text = key_id.partition(":")
    try:
        raw = base64.urlsafe_b64decode(text + "=") if kind + ":" == KIND else b""
        return Ed25519PublicKey.from_public_bytes(raw)
    except (ValueError, binascii.Error):
        return None
