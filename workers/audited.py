"""No change without its entry in the audit chain: an interceptor, so that no activity knows of it.

An entry that cannot be made before keeps the activity from beginning; one that cannot be made
after has it tried again, and then it finds all done. Both are Unreachable, which Temporal retries.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from activities.audited import Told, begun, ended
from rollback_manager.audit import AuditLog, Event

AT_ONCE = 32
"""Threads that wait for the database; those that wait together are written together."""


class Audits(Interceptor):
    """Wraps every activity, and tells the chain of those that change something."""

    def __init__(self, log: AuditLog) -> None:
        self.log = log
        self.threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="audit")

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """One wrapper per activity worker."""
        return _Audited(next, self)


class _Audited(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, to: Audits) -> None:
        super().__init__(next)
        self._to = to

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        argument = input.args[0] if input.args else None
        told = _told()
        if (event := begun(told, argument)) is not None:
            await self._append(event)
        answer = await super().execute_activity(input)
        for event in ended(told, argument, answer):
            await self._append(event)
        return answer

    async def _append(self, event: Event) -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._to.threads, self._to.log.append, event)


def _told() -> Told:
    info = activity.info()
    return Told(
        id=f"{info.workflow_run_id}/{info.activity_id}/{'local' if info.is_local else 'remote'}",
        name=info.activity_type,
        workflow=info.workflow_type or "",
        workflow_id=info.workflow_id or "",
    )
