"""One rollback, watched and steered by the gateway."""

from __future__ import annotations

import asyncio
import time

from pydantic import ValidationError

from rollback_manager.client import Rollback
from rollback_manager.contract import (
    AbortCommand,
    Answered,
    Carried,
    Decision,
    PauseCommand,
    StepCommand,
    Vote,
)
from rollback_manager.errors import Blocked
from rollback_manager.progress import RollbackOutcome, RollbackStatus
from starters.by_gateway.api import Api, new_id, of_another_build

ASK_EVERY_S = 1.0
"""So old may be what is told of a rollback that runs: each look is a request of its own."""


class GatewayRollback(Rollback):
    """One rollback, watched and steered by the gateway."""

    def __init__(self, api: Api, rollback_id: str) -> None:
        self.id = rollback_id
        self._api = api
        self._seen: tuple[float, RollbackStatus] | None = None

    async def status(self) -> RollbackStatus:
        """Where it is now, with every service's own word; of ASK_EVERY_S ago at most."""
        if self._seen is not None and time.monotonic() - self._seen[0] < ASK_EVERY_S:
            return self._seen[1]
        document = await self._api.ask("GET", f"/{self.id}")
        try:
            self._seen = time.monotonic(), RollbackStatus.model_validate(document)
        except ValidationError as error:
            raise of_another_build() from error
        return self._seen[1]

    async def by_itself(self) -> RollbackStatus:
        """The same as `status`: the gateway tells it whole."""
        return await self.status()

    async def result(self) -> RollbackOutcome:
        """How it ended; waits for the end."""
        while (outcome := (await self.status()).outcome) is None:  # noqa: ASYNC110 -- far away
            await asyncio.sleep(ASK_EVERY_S)
        return outcome

    async def vote(
        self,
        decision: Decision,
        vote: Vote,
        *,
        vote_id: str,
        confirm: str = "",
        incident: str = "",
    ) -> Answered:
        """Approve or reject, as who signed in. The same `vote_id` again gets the first answer."""
        words = {"plan": vote.plan, "reason": vote.reason}
        more = {"confirm": confirm, "incident": incident}
        return await self._decide(str(decision), vote_id, **words, **more)

    async def abort(self, command: AbortCommand) -> None:
        """Stop at the next safe point."""
        await self._decided(f"abort_{command.mode}", reason=command.reason)

    async def pause(self, command: PauseCommand) -> None:
        """Finish the step under way, then wait."""
        await self._decided("pause", reason=command.reason)

    async def resume(self, command: PauseCommand) -> None:
        """Go on after a pause."""
        await self._decided("resume", reason=command.reason)

    async def step(self, verb: str, service: str, command: StepCommand) -> Answered:
        """`retry_step` or `skip_step` for what waits."""
        words = {"step": command.step, "service": service, "reason": command.reason}
        return await self._decide(verb, new_id(verb), **words)

    async def _decided(self, decision: str, **words: str) -> None:
        answered = await self._decide(decision, new_id(decision), **words)
        if not answered.applied and not answered.pending:
            raise Blocked(
                answered.because,
                effect="This call changed nothing.",
                next_step=f"See how it stands: rollback-manager status {self.id}",
            )

    async def _decide(self, decision: str, id: str, **words: str) -> Carried:
        body = {"decision": decision, **words}
        document = await self._api.ask("POST", f"/{self.id}/decisions", body, id)
        return Carried.model_validate(document)
