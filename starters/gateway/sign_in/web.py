"""What signing in needs of the outside: two kinds of request to the identity provider."""

import json
from collections.abc import Mapping
from typing import Any, Protocol

from rollback_manager.errors import Unreachable
from rollback_manager.values import Value


class WebAnswer(Value):
    """An answer of at most 256 kB; a redirect is an answer like any other."""

    status: int
    body: bytes


class Web(Protocol):
    """HTTPS with time-outs and without redirects or proxies. Raises Unreachable."""

    async def get(self, url: str) -> WebAnswer:
        """One document."""
        ...

    async def post(self, url: str, fields: Mapping[str, str]) -> WebAnswer:
        """A form."""
        ...


def document(answer: WebAnswer, what: str) -> dict[str, Any]:
    """The JSON object in an answer; Unreachable where there is none."""
    try:
        found = json.loads(answer.body) if answer.status == 200 else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise away(f"{what} was answered with status {answer.status} and not as agreed")
    return found


def away(what: str) -> Unreachable:
    """The provider cannot be asked: what that means, and what goes on without it."""
    return Unreachable(
        f"the identity provider does not answer: {what}",
        effect="Nobody can sign in here now. Who is signed in stays signed in; rollbacks go on.",
        next_step="Wait and try again; or by hand: rollback-manager plan SERVICE --env E"
        " --as-commands",
    )
