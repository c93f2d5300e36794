"""What is decided here is in the audit chain before it is sent, and what was refused is, too."""

import asyncio
import hashlib
import logging
import secrets
import time
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rollback_manager.audit import AuditLog, Event
from rollback_manager.authority.people import Person
from rollback_manager.errors import RollbackError, Unreachable
from rollback_manager.values import Value
from starters.gateway.answered import other_request
from starters.gateway.buckets import Buckets, Rate

ACTOR = "gateway"
NOBODY = "unknown"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
REFUSED = frozenset({401, 403, 409, 421})
"""Answers by which a door turns somebody away; what was not understood is no attempt."""
REFUSALS = Rate(per_s=1, burst=60)
"""Of one address: whoever knocks a thousand times a second must not fill the chain. What is left
out is counted, and said with the next one."""
log = logging.getLogger(__name__)
noted: ContextVar[list[str] | None] = ContextVar("noted", default=None)
"""What was refused in the request under way, so that none of it is kept twice."""


class Auditing:
    """The gateway's side of the chain. chain: None where nothing is audited, as in some tests."""

    def __init__(
        self,
        chain: AuditLog | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._chain, self._now = chain, now
        self._refusals = Buckets(REFUSALS, monotonic)
        self._left_out = 0

    async def before(
        self,
        person: Person,
        action: str,
        object: str,
        *,
        id: str,
        rests_on: Value,
        plan: str = "",
        jws: str = "",
    ) -> None:
        """Keep what is about to be sent. rests_on: all that was asked.

        Raises Unreachable where it cannot be kept: then nothing may be sent; Refused (409) where
        something else was asked under this id.
        """
        if self._chain is None:
            return
        evidence = _hash(rests_on)
        event = Event(
            event_id=f"{ACTOR}/{object}/{hashlib.sha256(id.encode()).hexdigest()[:32]}",
            actor=ACTOR,
            subject=person.subject,
            action=action,
            object=object,
            plan_digest=plan,
            decision_jws=jws,
            evidence_hash=evidence,
            outcome="asked",
            ts_source=self._now(),
        )
        try:
            kept = await asyncio.to_thread(self._chain.append, event)
        except Unreachable as error:
            raise Unreachable(
                "the audit chain cannot be written, so nothing was decided here",
                effect="What runs goes on as it is; this request was not sent.",
                next_step="Bring the records back. If it cannot wait, break the glass:"
                " rollback-manager plan --as-commands, by hand, and tell the security team.",
            ) from error
        if kept.evidence_hash != evidence or kept.subject != person.subject:
            raise other_request()

    async def refused(
        self, subject: str, action: str, object: str, because: str, *, address: str = ""
    ) -> None:
        """Keep that something was refused. It is so anyway: a chain that is away is logged."""
        if (so_far := noted.get()) is not None:
            so_far.append(because)
        await self._keep(subject, action, object, f"refused: {because}", address)

    async def pending(self, subject: str, action: str, object: str, because: str) -> None:
        """Keep that what was sent is not judged yet, so that nobody reads it as if it had counted.

        It is so anyway: a chain that is away is logged.
        """
        await self._keep(subject, action, object, f"sent, not judged: {because}", "")

    async def _keep(
        self, subject: str, action: str, object: str, outcome: str, address: str
    ) -> None:
        if self._chain is None:
            return
        if self._refusals.take(address or subject):
            self._left_out += 1
            return
        also, self._left_out = self._left_out, 0
        more = f" (and {also} more since the one before)" if also else ""
        event = Event(
            event_id=f"{ACTOR}/became/{secrets.token_hex(16)}",
            actor=ACTOR,
            subject=subject or NOBODY,
            action=action,
            object=object,
            outcome=f"{outcome}{more}",
            ts_source=self._now(),
        )
        try:
            await asyncio.to_thread(self._chain.append, event)
        except RollbackError as error:
            log.error("what became of a request could not be audited: %s", error.what)


class Refusals:
    """A layer around the app: whatever door refuses somebody who wants a change, it is kept."""

    def __init__(self, app: ASGIApp, auditing: Auditing) -> None:
        self._app, self._auditing = app, auditing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand it on, and look at the answer."""
        if scope["type"] != "http" or scope["method"] in SAFE:
            await self._app(scope, receive, send)
            return
        status, before = 0, noted.set([])

        async def looked_at(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self._app(scope, receive, looked_at)
            if status in REFUSED and not noted.get():
                await self._keep(scope, status)
        finally:
            noted.reset(before)

    async def _keep(self, scope: Scope, status: int) -> None:
        state, client = scope.get("state", {}), scope.get("client") or ("",)
        because = state.get("refusal", f"answered with {status}")
        action = f"http.{scope['method'].lower()}"
        await self._auditing.refused(
            state.get("subject", NOBODY), action, scope["path"], because, address=str(client[0])
        )


def _hash(asked: Value) -> str:
    return hashlib.sha256(asked.model_dump_json().encode()).hexdigest()
