"""What is asked of Amazon SNS: its certificates, which are kept, and to confirm a subscription."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

from rollback_manager.errors import Unreachable
from starters.gateway.sns import message as messages
from starters.gateway.sns.message import Envelope

LARGEST = 16 * 1024
"""Bytes of a certificate, or of the answer to a confirmation; SNS's have 2 KiB."""
MOST_KEPT = 8
ASK_EVERY_S = 5.0
"""A certificate that is not known is asked for so often at most: made-up ones are cheap."""
REPLAYS_S = int((messages.OLDEST + 2 * messages.AHEAD).total_seconds())


class Fetch(Protocol):
    """GET of an https address; not redirected, done within seconds."""

    def __call__(self, url: str, at_most: int) -> bytes:
        """The body; Unreachable where there is none, or a longer one."""


class SnsDoor:
    """What is asked of SNS. In threads: nothing of it may hold up a decision."""

    def __init__(self, fetch: Fetch, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch, self._clock = fetch, clock
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._asked_at = float("-inf")
        self._one_at_a_time = asyncio.Lock()

    async def certificate(self, url: str) -> bytes:
        """The one at that address, where it never changes. Unreachable: nobody can tell."""
        async with self._one_at_a_time:
            if url not in self._kept:
                self._kept[url] = await self._asked(url)
                while len(self._kept) > MOST_KEPT:
                    self._kept.popitem(last=False)
            return self._kept[url]

    async def _asked(self, url: str) -> bytes:
        if self._clock() - self._asked_at < ASK_EVERY_S:
            raise _silent("it was asked just now")
        self._asked_at = self._clock()
        try:
            return await asyncio.to_thread(self._fetch, url, LARGEST)
        except Unreachable as error:
            raise _silent(error.what) from error

    async def confirm(self, message: Envelope) -> None:
        """Tell SNS that we want what this topic sends."""
        try:
            await asyncio.to_thread(self._fetch, messages.confirmation_url(message), LARGEST)
        except Unreachable as error:
            raise _silent(error.what) from error


def _silent(what: str) -> Unreachable:
    return Unreachable(
        f"SNS cannot be asked whether it signed this: {what[:200]}",
        effect="Nothing was taken.",
        next_step="Send it again: SNS does so by itself.",
    )
