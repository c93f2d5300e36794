"""The head of the audit chain anchored every five minutes, and when the process ends."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from activities.audit import Chain
from rollback_manager.errors import RollbackError

EVERY_S = 300.0

log = logging.getLogger(__name__)


@asynccontextmanager
async def anchoring(chain: Chain | None, every_s: float = EVERY_S) -> AsyncIterator[None]:
    """For as long as the block runs. None: there is no chain."""
    if chain is None:
        yield
        return
    task = asyncio.create_task(_again_and_again(chain, every_s))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await _anchor(chain)


async def _again_and_again(chain: Chain, every_s: float) -> None:
    while True:
        await asyncio.sleep(every_s)
        await _anchor(chain)


async def _anchor(chain: Chain) -> None:
    try:
        await asyncio.to_thread(chain.anchor)
    except RollbackError:
        log.exception("the head of the audit chain is not anchored")
