"""Tells a proxy which of a worker's requests belong to the step of the point."""

import asyncio
import os
from contextlib import suppress
from typing import Any
from urllib.request import ProxyHandler, build_opener

from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from proof.kill_matrix.doomed import Doom

BEGIN, END = "/proof/begins", "/proof/ends"
PLAIN = build_opener(ProxyHandler({}))
"""Nothing of the environment leads it elsewhere."""


class Announcing(Interceptor):
    """Says so when the step of the point begins and ends, and waits until it was heard."""

    def __init__(self, doom: Doom, proxy: str) -> None:
        self._doom, self._proxy = doom, proxy

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Round each activity."""
        return _Announced(next, self._doom, self._proxy)


class _Announced(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, doom: Doom, proxy: str) -> None:
        super().__init__(next)
        self._doom, self._proxy = doom, proxy

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        if not (input.args and self._doom.is_step(input.args[0])):
            return await super().execute_activity(input)
        await asyncio.to_thread(self._say, BEGIN)
        result = await super().execute_activity(input)
        await asyncio.to_thread(self._say, END)
        return result

    def _say(self, what: str) -> None:
        with suppress(OSError), PLAIN.open(f"{self._proxy}{what}?{os.getpid()}", timeout=60):
            pass
