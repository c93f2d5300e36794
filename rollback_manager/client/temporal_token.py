"""The token by which a Temporal with an authorizer knows this process.

    ROLLBACK_TEMPORAL_TOKEN=file:/run/secrets/temporal-token      a JWT, as one line

Such tokens live for minutes or hours and a rollback may wait for days: the file is read anew by and
by, and what it says then goes with each call, also of workers that poll already.
"""

import asyncio
import logging
import weakref

from temporalio.client import Client

from rollback_manager.client.secrets import Secrets
from rollback_manager.errors import PermanentError, RollbackError
from rollback_manager.veil import VEIL

TEMPORAL_TOKEN = "ROLLBACK_TEMPORAL_TOKEN"  # noqa: S105 -- the setting's name
"""Reference to the token; not set: `TEMPORAL_API_KEY`, or none."""
FRESH_S = 5.0
"""A new token is used within that: far below the minute after which pollers that are refused give
up, so whoever replaces it a little late loses no worker."""

log = logging.getLogger(__name__)


class TokenByReference:
    """The token where the reference leads. The first read raises; later ones are logged."""

    def __init__(self, secrets: Secrets, reference: str) -> None:
        self._secrets, self._reference = secrets, reference
        self._before = self._failed = ""
        self.current = self._read()

    def is_new(self) -> bool:
        """Look again: whether there is another one than before, which is `current` from now on."""
        try:
            found = self._read()
        except RollbackError as error:
            if error.what != self._failed:  # once: the next look is in a few seconds
                log.error("Temporal's token stays as it is", extra={"because": error.what})
            self._failed = error.what
            return False
        self._failed = ""
        if found == self.current:
            return False
        # The one before may still be quoted by an error that is on its way; the one before that
        # has no right any more, and must not push lasting secrets out of the veil.
        VEIL.forget(self._before)
        self._before, self.current = self.current, found
        return True

    def keep(self, client: Client) -> None:
        """Give this client each new token, as long as it is there and its loop runs."""
        task = asyncio.create_task(_renewing(self, weakref.ref(client)))
        _AT_WORK.add(task)  # asyncio itself would let go of it
        task.add_done_callback(_AT_WORK.discard)

    def _read(self) -> str:
        token = self._secrets.resolve(self._reference, "token for Temporal")
        if not (token.isascii() and token.isprintable()) or " " in token:
            raise PermanentError(
                f"the token for Temporal at {self._reference} is none: it must be one line of"
                " visible characters, without the word Bearer",
                effect="It was not sent.",
                next_step="Write the token alone into it.",
            )
        return token


_AT_WORK: set[asyncio.Task[None]] = set()


async def _renewing(token: TokenByReference, client: "weakref.ref[Client]") -> None:
    while True:
        await asyncio.sleep(FRESH_S)
        is_new = await asyncio.to_thread(token.is_new)
        at = client()
        if at is None:
            return
        if is_new:
            at.api_key = token.current
            log.info("Temporal's token was replaced: the new one goes with each call from now on")
        del at
