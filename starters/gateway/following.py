"""Rollbacks as they change: each asked by one loop, however many people look at it."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from rollback_manager.client import Rollback
from rollback_manager.errors import RollbackError
from rollback_manager.progress import RollbackStatus, State

HEARTBEAT_S = 15.0
"""Seconds of silence after which a listener is told that nothing has changed (proxies give up an
idle connection after 30 or 60)."""
AGAIN_S = 2.0
"""Seconds until a rollback that could not be asked is asked again."""


class News(NamedTuple):
    """A status and its name, which is the same for the same status; or why there is none."""

    id: str
    status: RollbackStatus | None
    text: str
    trouble: RollbackError | None = None

    @property
    def is_last(self) -> bool:
        """Whether nothing can follow."""
        return self.status is not None and self.status.state is State.FINISHED


def news_of(status: RollbackStatus) -> News:
    """The status with its name: whoever has seen it is not told again, by whatever process."""
    text = status.model_dump_json()
    return News(hashlib.sha256(text.encode()).hexdigest()[:16], status, text)


class _Following:
    """One rollback. `newest` is all that is kept: each status is the whole picture."""

    def __init__(self, rollback: Rollback) -> None:
        self.listeners = 0
        self._rollback = rollback
        self._newest: News | None = None
        self._changed = asyncio.Event()
        self._looking = asyncio.create_task(self._look())
        self._looking.add_done_callback(lambda _: self._changed.set())

    async def _look(self) -> None:
        while self._newest is None or not self._newest.is_last:
            try:
                async for status in self._rollback.events():
                    self._tell(news_of(status))
            except RollbackError as error:
                self._tell(News("", None, "", trouble=error))
                await asyncio.sleep(AGAIN_S)

    def _tell(self, news: News) -> None:
        self._newest = news
        self._changed.set()
        self._changed = asyncio.Event()

    async def news(self, seen: str) -> AsyncIterator[News | None]:
        """What is newer than `seen`, until the end; None where nothing came for long."""
        told: News | None = None
        while True:
            newest, changed = self._newest, self._changed
            if newest is not None and newest is not told:
                told = newest
                if newest.id != seen or newest.trouble:
                    yield newest
                seen = ""
            if self._looking.done() and self._newest is newest:
                return
            try:
                await asyncio.wait_for(changed.wait(), HEARTBEAT_S)
            except TimeoutError:
                yield None

    def stop(self) -> None:
        """Ask no more; whoever still listens is told no more."""
        self._looking.cancel()


class Followings:
    """All rollbacks that somebody looks at through this process."""

    def __init__(self) -> None:
        self._known: dict[str, _Following] = {}

    @contextmanager
    def of(self, rollback: Rollback) -> Iterator[_Following]:
        """This one, for one listener; the last one to leave ends the asking."""
        following = self._known.get(rollback.id)
        if following is None:
            following = self._known[rollback.id] = _Following(rollback)
        following.listeners += 1
        try:
            yield following
        finally:
            following.listeners -= 1
            if not following.listeners and self._known.get(rollback.id) is following:
                del self._known[rollback.id]
                following.stop()

    def end(self) -> None:
        """Let all listeners go: the process ends, and they come back to another one."""
        for following in self._known.values():
            following.stop()
