"""Whether the rollback took a stop or a resume that was sent: a message has no answer of its own.

Only where decisions are signed: elsewhere every word counts, and nobody is asked about it.
"""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from rollback_manager.authority.proving import USED
from rollback_manager.client import Rollback
from rollback_manager.contract import Carried
from rollback_manager.errors import RollbackError
from rollback_manager.progress import MOST_IGNORED, Ignored, RollbackStatus

WITHIN_S = 2.0
"""So long is the rollback asked (ours): a worker answers in milliseconds, a click within 3 s."""
NOBODY = "sent; no worker has answered yet: it is judged once one is back"
UNPLANNED = "sent; it is judged once the plan is there"
FULL = "sent; it has ignored so many commands that it lists no more: see its state"


class Command(NamedTuple):
    """What was sent, and by whom, as an ignored command names them."""

    command: str
    by: str


async def judged(
    rollback: Rollback, sent: Command, before: RollbackStatus | None, taken: str
) -> Carried:
    """What the rollback says of it. Never fails because nobody answers.

    before: how it stood; None where nobody said: then nobody is waited for again. taken: what
    follows where it took it.
    """
    if before is None:
        return _pending(NOBODY)
    try:
        async with asyncio.timeout(WITHIN_S):
            now_is = await rollback.by_itself()  # Temporal answers it after what was sent before
    except (TimeoutError, RollbackError):
        return _pending(NOBODY)
    return _said(sent, before.ignored, now_is, taken)


def _said(sent: Command, before: Sequence[Ignored], now_is: RollbackStatus, taken: str) -> Carried:
    new = now_is.ignored[len(before) :]  # the list grows at its end alone
    ours = [one.because for one in new if (one.command, one.by) == sent]
    if ours and ours[-1] != USED:  # used: the same decision, sent again, counted before
        return Carried(applied=False, because=f"the rollback ignored it: {ours[-1]}")
    if not ours and len(now_is.ignored) >= MOST_IGNORED:
        return _pending(FULL)
    if not now_is.digest and now_is.outcome is None:
        return _pending(UNPLANNED)
    return Carried(applied=True, because=taken)


def _pending(because: str) -> Carried:
    return Carried(applied=False, pending=True, because=because)
