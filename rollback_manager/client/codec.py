"""Payloads encrypted before Temporal sees them: AES-256-GCM, bound to namespace and workflow.

Nothing here raises while it decodes: an exception there would fail the workflow task, so that one
payload of an intruder blocks a rollback for ever. What is not accepted becomes a payload of an
encoding that no converter knows: the SDK drops that signal, or refuses that update.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from google.protobuf.message import DecodeError
from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    ActivitySerializationContext,
    PayloadCodec,
    SerializationContext,
    WithSerializationContext,
    WorkflowSerializationContext,
)

ENCRYPTED = b"binary/encrypted"
REFUSED = b"rollback-manager/refused"
KEY_ID, WORKFLOW = "encryption-key-id", "workflow-id"
NONCE = 12
"""Bytes, fresh for each payload; with one key safe for 2^32 of them (NIST SP 800-38D)."""
UNBOUND = "*"
"""In place of a workflow id: made by the codec server for a page that does not say for whom."""


class Keys(Protocol):
    """The keyring, as it is now."""

    async def current(self) -> tuple[str, bytes]:
        """Id and key with which to encrypt."""

    async def key(self, id: str) -> bytes | None:
        """The key of that id; None where nobody has it."""

    @property
    def accepts_plaintext(self) -> bool:
        """Whether what is not encrypted is read, as long as rollbacks run that began so."""


@dataclass(frozen=True)
class Encryption(PayloadCodec, WithSerializationContext):
    """Encrypts all that is sent and decrypts all that comes.

    namespace, workflow: from the context; without one any workflow's payload is read, by the id
    that it names, for instance of a history. takes_unbound: whether a payload that names none is
    accepted; a copy of it fits every workflow.
    """

    keys: Keys
    namespace: str
    workflow: str | None = None
    takes_unbound: bool = False
    reads_plaintext: bool = False

    def with_context(self, context: SerializationContext) -> "Encryption":
        """The same, for the workflow to which a payload belongs."""
        match context:
            case WorkflowSerializationContext() | ActivitySerializationContext():
                return replace(self, namespace=context.namespace, workflow=context.workflow_id)
            case _:
                return self

    def reading(self) -> "Encryption":
        """The same for who only looks: of any workflow, and what was never encrypted, too."""
        return replace(self, workflow=None, reads_plaintext=True)

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Each encrypted with the current key."""
        key_id, key = await self.keys.current()
        return [self._encrypted(payload, key_id, key) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Each as it was, or as one that no converter reads."""
        return [await self._decrypted(payload) for payload in payloads]

    def _encrypted(self, payload: Payload, key_id: str, key: bytes) -> Payload:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # where there are keys alone

        workflow, nonce = self.workflow or UNBOUND, os.urandom(NONCE)
        bound = self._bound(key_id, workflow)
        sealed = AESGCM(key).encrypt(nonce, payload.SerializeToString(), bound)
        facts = {"encoding": ENCRYPTED, KEY_ID: key_id.encode(), WORKFLOW: workflow.encode()}
        return Payload(metadata=facts, data=nonce + sealed)

    async def _decrypted(self, payload: Payload) -> Payload:
        if payload.metadata.get("encoding") != ENCRYPTED:
            reads = self.reads_plaintext or self.keys.accepts_plaintext
            return payload if reads else refused("it is not encrypted")
        key_id, workflow = (_text(payload.metadata.get(one, b"")) for one in (KEY_ID, WORKFLOW))
        if not self._takes(workflow):
            return refused("it belongs to another workflow")
        key = await self.keys.key(key_id)
        if key is None:
            return refused("its key is not known")
        opened = _decrypted(key, payload.data, self._bound(key_id, workflow))
        return opened or refused("it was changed, or belongs elsewhere")

    def _takes(self, workflow: str) -> bool:
        if self.workflow is None:
            return True
        return workflow == self.workflow or (workflow == UNBOUND and self.takes_unbound)

    def _bound(self, key_id: str, workflow: str) -> bytes:
        """What is authenticated beside the text; each part with its length, so that none moves."""
        parts = (self.namespace.encode(), workflow.encode(), key_id.encode())
        return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def _decrypted(key: bytes, data: bytes, bound: bytes) -> Payload | None:
    """The payload in it; None where it is not what was encrypted."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        return Payload.FromString(AESGCM(key).decrypt(data[:NONCE], data[NONCE:], bound))
    except (InvalidTag, ValueError, DecodeError):
        return None


def refused(because: str) -> Payload:
    """A payload that no converter reads, with the reason for who looks."""
    return Payload(metadata={"encoding": REFUSED, "because": because.encode()})


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
