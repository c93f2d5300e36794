"""The gateway's REST API: one request with a credential, its document or its refusal."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from typing import Any, NoReturn

from rollback_manager.errors import (
    Blocked,
    NotFound,
    NotPermitted,
    PermanentError,
    RollbackError,
    StalePlan,
    Unreachable,
)
from starters.by_gateway import signing_in, web
from starters.refusals import UNCHANGED
from starters.settings import Gateway

OF_STATUS: Mapping[int, type[RollbackError]] = {
    401: NotPermitted,
    403: NotPermitted,
    404: NotFound,
    409: Blocked,
    422: Blocked,
    429: Unreachable,
    503: Unreachable,
    504: Unreachable,
}

OF_TYPE: Mapping[str, type[RollbackError]] = {"stale-plan": StalePlan, "too-many-starts": Blocked}
"""What says more than its status: who is asked too often otherwise is asked again later."""


class Api:
    """Requests with the credential of whoever runs this; it is renewed once it has ended."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._credential: str | None = None

    async def ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, key: str = ""
    ) -> Mapping[str, Any]:
        """The document of the answer; a refusal is raised as what it says."""
        answer = await self._send(method, path, body, key)
        if answer.status == 401 and self._credential:
            self._credential = None
            answer = await self._send(method, path, body, key)
        if answer.status // 100 != 2:
            raise refusal(answer)
        return answer.document

    async def _send(
        self, method: str, path: str, body: Mapping[str, Any] | None, key: str
    ) -> web.Answer:
        if self._credential is None:
            self._credential = await asyncio.to_thread(signing_in.credential, self._gateway)
        headers = {"Authorization": f"Bearer {self._credential}"} if self._credential else {}
        headers |= {"Idempotency-Key": key} if key else {}
        url = f"{self._gateway.url}/api/v1{path}"
        return await asyncio.to_thread(web.send, method, url, body, headers)


def refusal(answer: web.Answer) -> RollbackError:
    """What the gateway's problem says, as the error that it is here."""
    kind = OF_STATUS.get(answer.status, PermanentError)
    kind = OF_TYPE.get(str(answer.document.get("type")), kind)
    return kind(
        _said(answer, "detail") or f"the gateway answered {answer.status}",
        effect=_said(answer, "effect"),
        next_step=_said(answer, "next_step"),
    )


def _said(answer: web.Answer, field: str) -> str:
    return str(answer.document.get(field, ""))[:2000]


def new_id(verb: str) -> str:
    """Of one request: the gateway does a thing once for it, however often it is sent."""
    return f"{verb}-{secrets.token_hex(8)}"


def of_another_build() -> PermanentError:
    """What is said where its answer cannot be read here."""
    return PermanentError("the gateway is of another build than this command")


def must_not_be_asked() -> NoReturn:
    """Refuse what the gateway does not offer."""
    raise Blocked(
        "this verb needs Temporal, and ROLLBACK_GATEWAY says to go by the gateway",
        effect=UNCHANGED,
        next_step="Ask where Temporal can be reached, without ROLLBACK_GATEWAY",
    )
