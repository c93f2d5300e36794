"""Start, approve, pause, abort and follow rollbacks from any program. Async and typed.

    async with RollbackClient() as client:
        rollback = await client.start(RollbackRequest(...))
        async for status in rollback.events(): ...
        outcome = await rollback.result()

How a rollback ends is a value, never an exception; what cannot be asked at all is a RollbackError.
"""

from rollback_manager.client.connection import connect
from rollback_manager.client.rollback import Rollback
from rollback_manager.client.rollbacks import Listed, RollbackClient

__all__ = ["Listed", "Rollback", "RollbackClient", "connect"]
