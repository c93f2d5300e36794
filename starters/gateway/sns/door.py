"""What is asked of Amazon SNS: its certificates, which are kept, and to confirm a subscription."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

from rollback_manager.errors import Unreachable
from starters.gateway.buckets import Buckets, Rate
from starters.gateway.sns import message as messages
from starters.gateway.sns.message import Envelope

LARGEST = 16 * 1024
"""Bytes of a certificate, or of the answer to a confirmation; SNS's have 2 KiB."""
MOST_KEPT = 8
ASK_EVERY_S = 5.0
"""So often may what one address sends have a certificate asked for that is not known: made-up ones
are cheap, and a flood of them must not keep out what SNS sends from an address of its own."""
AT_ONCE = 4
"""Certificates asked for at a time: each has a thread."""
REPLAYS_S = int((messages.OLDEST + 2 * messages.AHEAD).total_seconds())


class Fetch(Protocol):
    """GET of an https address; not redirected, done within seconds."""

    def __call__(self, url: str, at_most: int) -> bytes:
        """The body; Unreachable where there is none, or a longer one."""


class SnsDoor:
    """What is asked of SNS. In threads: nothing of it may hold up a decision."""

    def __init__(self, fetch: Fetch, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._asking: dict[str, asyncio.Task[bytes]] = {}
        self._senders = Buckets(Rate(1 / ASK_EVERY_S, 1), clock)

    async def certificate(self, url: str, sender: str) -> bytes:
        """The one at that url, where it never changes. sender: the address that wants it asked for.

        Unreachable: nobody can tell.
        """
        if url in self._kept:
            return self._kept[url]
        # Who leaves does not spoil it for those who wait for the same one.
        return await asyncio.shield(self._asking.get(url) or self._begun(url, sender))

    def _begun(self, url: str, sender: str) -> "asyncio.Task[bytes]":
        if len(self._asking) >= AT_ONCE or self._senders.take(sender):
            raise _silent("it was asked just now")
        self._asking[url] = asyncio.create_task(self._asked(url))
        self._asking[url].add_done_callback(lambda done: done.cancelled() or done.exception())
        return self._asking[url]

    async def _asked(self, url: str) -> bytes:
        try:
            found = self._kept[url] = await asyncio.to_thread(self._fetch, url, LARGEST)
        except Unreachable as error:
            raise _silent(error.what) from error
        finally:
            del self._asking[url]
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return found

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
