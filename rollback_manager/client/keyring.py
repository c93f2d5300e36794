"""The keys of the codec: one that encrypts, and all that histories still need.

A document by reference, `ROLLBACK_CODEC_KEYS=file:/run/codec.json`:

    {"current": "2026-11", "keys": {"2026-08": "BASE64 of 32 bytes", "2026-11": "BASE64 …"}}

It is read anew by and by, so a key is rotated in two edits: add it for all processes, then make it
`current`. An old one stays as long as there are histories with it.
"""

import asyncio
import base64
import binascii
import logging
import time
from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationError, model_validator

from rollback_manager.client.secrets import Secrets
from rollback_manager.errors import PermanentError, RollbackError
from rollback_manager.values import Value
from rollback_manager.veil import VEIL

FRESH_S = 15.0
"""A new key is used within that; a file costs microseconds to read, a vault a request."""
AT_LEAST_S = 1.0
"""Between two looks for a key that is not known: whoever sends such payloads may send many."""
MAKE_ONE = 'Make a key: openssl rand -base64 32; then {"current": "ID", "keys": {"ID": "KEY"}}'

log = logging.getLogger(__name__)


def _key(text: str) -> str:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != 32:
        raise ValueError("it is no base64 of 32 bytes")
    return text


class Keyring(Value, hide_input_in_errors=True):
    """The document. accepts_plaintext: as long as rollbacks run that began unencrypted."""

    current: str
    keys: Annotated[dict[str, Annotated[str, AfterValidator(_key)]], Field(min_length=1)]
    accepts_plaintext: bool = False

    @model_validator(mode="after")
    def _has_its_current(self) -> "Keyring":
        if self.current not in self.keys:
            raise ValueError("`current` is none of `keys`")
        return self

    def key(self, id: str) -> bytes | None:
        """The key of that id."""
        return base64.b64decode(self.keys[id]) if id in self.keys else None


class KeyringByReference:
    """The keyring where the reference leads, as fresh as FRESH_S.

    The first read raises; a later one that fails is logged, and the keys that are known serve on.
    """

    def __init__(
        self, secrets: Secrets, reference: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._secrets, self._reference, self._clock = secrets, reference, clock
        self._known, self._read_at = self._read(), clock()

    @property
    def accepts_plaintext(self) -> bool:
        """Whether what is not encrypted is read."""
        return self._known.accepts_plaintext

    async def current(self) -> tuple[str, bytes]:
        """Id and key with which to encrypt."""
        await self._refresh(FRESH_S)
        known = self._known
        return known.current, known.key(known.current) or b""

    async def key(self, id: str) -> bytes | None:
        """The key of that id; looked for once more where it is not known yet."""
        await self._refresh(FRESH_S)
        if self._known.key(id) is None:
            await self._refresh(AT_LEAST_S)
        return self._known.key(id)

    async def _refresh(self, older_s: float) -> None:
        if self._clock() - self._read_at < older_s:
            return
        self._read_at = self._clock()
        try:
            self._known = await asyncio.to_thread(self._read)
        except RollbackError:
            log.exception("the codec's keys cannot be read anew: those of before serve on")

    def _read(self) -> Keyring:
        text = self._secrets.resolve(self._reference, "codec keyring")
        try:
            read = Keyring.model_validate_json(text, extra="forbid")
        except ValidationError as error:
            why = "; ".join(sorted({f"{_place(one['loc'])}{one['msg']}" for one in error.errors()}))
            raise PermanentError(
                f"the codec keyring at {self._reference} cannot be used: {why[:300]}",
                effect="Nothing was started; production is unchanged.",
                next_step=MAKE_ONE,
            ) from None
        for key in read.keys.values():
            VEIL.remember(key)
        return read


def _place(path: tuple[int | str, ...]) -> str:
    """The field alone: what stands below `keys` may be a key in the wrong place."""
    return f"{path[0]}: " if path else ""
