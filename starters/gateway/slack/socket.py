"""Socket Mode, the way in without a public address: the same path once Slack is known to speak.

There are no signatures: whoever holds the app's token opens the connection, so that token is the
secret that must be kept. Replays are told by the envelope's id.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from rollback_manager.errors import RollbackError
from rollback_manager.rendering import chat
from starters import refusals
from starters.gateway.doors import Doors
from starters.gateway.replays import Replays
from starters.gateway.slack import buttons, commands, reading
from starters.gateway.slack.answering import Deliveries
from starters.gateway.slack.door import Connection, Said, SlackDoor
from starters.gateway.slack.reading import Click, Typed, Unreadable
from starters.gateway.slack.verification import REMEMBERED_S

log = logging.getLogger(__name__)
PREFIX = "slack-envelope/"
AGAIN_S = 10.0
"""Between two tries to connect; Slack lets an app open a connection once a second or so."""


class Socket:
    """Hands what comes over the connection to the same code as the public addresses."""

    def __init__(self, known: Doors, door: SlackDoor, replays: Replays) -> None:
        self._known, self._door, self._replays = known, door, replays
        self._deliveries = Deliveries(door)

    @asynccontextmanager
    async def kept_open(self, connection: Connection) -> AsyncIterator[None]:
        """Listening within the block, from the moment on at which Slack lets it connect."""
        connecting = asyncio.create_task(self._connect(connection))
        try:
            yield
        finally:
            connecting.cancel()
            await asyncio.to_thread(connection.close)

    async def _connect(self, connection: Connection) -> None:
        loop = asyncio.get_running_loop()

        def hear(kind: str, envelope: str, payload: Any) -> dict[str, Any] | None:
            heard = self.hear(kind, envelope, payload)
            return asyncio.run_coroutine_threadsafe(heard, loop).result()

        while True:
            try:
                await asyncio.to_thread(connection.listen, hear)
                return
            except RollbackError as error:
                log.warning("Slack is not listened to yet", extra={"because": error.what})
            await asyncio.sleep(AGAIN_S)

    async def hear(self, kind: str, envelope: str, payload: Any) -> dict[str, Any] | None:
        """What goes back with the acknowledgement; None where nothing does."""
        try:
            asked = _read(kind, payload)
            if not self._door.lets_in(asked.sender):
                log.warning("an envelope of another workspace or app was ignored")
                return None
            first = self._replays.first_time
            if not await asyncio.to_thread(first, PREFIX + envelope, REMEMBERED_S):
                return None
        except Unreadable:
            return None
        except RollbackError as error:
            return _body(Said(refusals.in_one_line(error)))
        if isinstance(asked, Click):
            work = buttons.answer(self._known, self._door, asked)
            await self._deliveries.of_click(asked, work)
            return None
        said = commands.answer(self._known, self._door, asked)
        return _body(await self._deliveries.of_command(asked, said))


def _read(kind: str, payload: Any) -> Click | Typed:
    match kind:
        case "interactive":
            return reading.click(payload)
        case "slash_commands":
            return reading.typed(payload)
        case _:
            raise Unreadable(f"an envelope of kind {kind[:40]}")


def _body(said: Said) -> dict[str, Any]:
    message = chat.explained(said.text, said.link)
    return {"text": message.text, "blocks": message.blocks}
