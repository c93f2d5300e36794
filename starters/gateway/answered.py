"""What was answered under a caller's own key: the same request again gets the same answer.

Kept in this process, for the minutes in which somebody tries again. What must outlive it is kept
by Temporal: a rollback by its id, a vote by its id.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from rollback_manager.contract import Carried
from rollback_manager.values import Value
from starters.gateway.problems import Refused

MOST = 10_000
"""Answers that are kept, the newest ones: each is a few hundred bytes."""


@dataclass
class _Kept:
    digest: str
    answer: "asyncio.Future[Carried] | None"


class Answers:
    """Answers by key."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    async def once(
        self, key: str, request: Value, make: Callable[[], Awaitable[Carried]]
    ) -> Carried:
        """What `make` answered under this key, also while it is still at it.

        Raises Refused (409) where another request was made under it. What was not applied, or is
        not known to be, may be tried again.
        """
        digest = hashlib.sha256(request.model_dump_json().encode()).hexdigest()
        kept = self._kept.setdefault(key, _Kept(digest, None))
        if kept.digest != digest:
            raise other_request()
        if kept.answer is None:
            kept.answer = asyncio.ensure_future(make())
            kept.answer.add_done_callback(lambda done: _settled(kept, done))
        while len(self._kept) > MOST:
            self._kept.popitem(last=False)
        # Whoever asked may leave; what was begun is carried to its end.
        return await asyncio.shield(kept.answer)


def _settled(kept: _Kept, answer: "asyncio.Future[Carried]") -> None:
    if answer.cancelled() or answer.exception() is not None or not answer.result().applied:
        kept.answer = None


def other_request() -> Refused:
    """The key stands for something else already."""
    return Refused(
        409,
        "key-reused",
        "another request was made under this Idempotency-Key",
        next_step="Use a new key for a new request; the same key only to try the same again.",
    )
