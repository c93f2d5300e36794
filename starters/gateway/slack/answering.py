"""The answer in time: Slack waits three seconds, and a rollback may take longer to answer."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from rollback_manager.errors import RollbackError
from starters.gateway.slack.door import Said, SlackDoor
from starters.gateway.slack.reading import Click, Sender, Typed

IN_TIME_S = 2.0
"""Then it is said that the answer is late, well before Slack's three seconds."""
RECORDED = "Recorded, applying…"
"""Of a click."""
AT_WORK = "At work; the answer follows here…"
"""Of a command, which may only ask."""

MISTAKE = (
    "A mistake of this gateway; its log says which. Whether anything was decided:"
    " /rollback status ENV/KEY"
)

T = TypeVar("T")
log = logging.getLogger(__name__)


class Deliveries:
    """Tells the person what became of it: now if that is known in time, else once it is.

    Work that outlasts the answer is kept hold of here: a task that nobody holds may be collected.
    """

    def __init__(self, door: SlackDoor) -> None:
        self._door = door
        self._late: set[asyncio.Task[None]] = set()

    async def of_click(self, click: Click, work: Coroutine[Any, Any, Said | None]) -> None:
        """Nothing goes back with the answer to a click: whatever is said is a message of its own.

        Returns as soon as it is decided, or IN_TIME_S later; what is said follows.
        """
        task = asyncio.create_task(_whatever_happens(work))
        done, _ = await asyncio.wait({task}, timeout=IN_TIME_S)
        if not done:
            self._then(self._explain(click.sender, Said(RECORDED)))
        self._then(self._when_known(task, lambda said: self._explain(click.sender, said)))

    async def of_command(self, typed: Typed, work: Coroutine[Any, Any, Said]) -> Said:
        """What goes back at once; the rest goes to the `response_url` of the command."""
        task = asyncio.create_task(_whatever_happens(work))
        done, _ = await asyncio.wait({task}, timeout=IN_TIME_S)
        if done:
            return task.result()
        self._then(self._when_known(task, lambda said: self._respond(typed.sender, said)))
        return Said(AT_WORK)

    async def over(self) -> None:
        """All that is still to be said has been said, or has failed."""
        while self._late:
            await asyncio.gather(*self._late, return_exceptions=True)

    def _then(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def _when_known(
        self, task: asyncio.Task[T], tell: Callable[[Said], Awaitable[None]]
    ) -> None:
        said = await task
        if isinstance(said, Said):
            await tell(said)

    async def _explain(self, sender: Sender, said: Said) -> None:
        send = self._door.answers.explain
        await self._sent(send, sender.channel, sender.user, said.text, said.link)

    async def _respond(self, sender: Sender, said: Said) -> None:
        send = self._door.answers.respond
        await self._sent(send, sender.response_url, said.text, said.link)

    async def _sent(self, send: Callable[..., None], *words: str) -> None:
        """The decision stands whether or not the person can be told of it."""
        try:
            await asyncio.to_thread(send, *words)
        except RollbackError as error:
            log.warning("a person in Slack was not answered", extra={"because": error.what})


async def _whatever_happens(work: Coroutine[Any, Any, T]) -> T | Said:
    """Slack got its answer already, or gets no error: the person is told that there was one."""
    try:
        return await work
    except Exception as error:
        log.error("a mistake in Slack's door", exc_info=error)
        return Said(MISTAKE)
