"""Reads a request's body before anything is done with it: small, in time, not too many at once."""

import asyncio
import re

from starlette.types import Message, Receive, Scope

from starters.gateway.problems import Problem, simple

WITHIN_S = 10.0
"""Seconds until it must be there; most have some hundred bytes."""
SMALL, LARGE = 64 * 1024, 1024 * 1024
"""Bytes of one; the larger for what may name a thousand services, or holds a history's events."""
ALL = 64 * 1024 * 1024
"""Bytes of all that are held at a time."""
LARGER = re.compile(r"/api/v1/(plans|rollbacks)|/codec/(de|en)code")
TOO_SLOW = simple(408, "too-slow", f"the body did not come within {WITHIN_S:g} s", "Send it again.")
TOO_MANY = simple(
    503, "busy", "others send too much at this moment", "Wait as long as Retry-After says."
)


class Bodies:
    """All bodies that are held."""

    def __init__(self) -> None:
        self._held = 0

    async def read(self, scope: Scope, receive: Receive) -> bytes | Problem | None:
        """The body, held until `drop`; or what is wrong with it; or None: the sender has gone."""
        most = LARGE if LARGER.fullmatch(scope["path"]) else SMALL
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if not announced.isdigit() or len(announced) > 12 or int(announced) > most:
            return _too_large(most)
        body = bytearray()
        found: bytes | Problem | None = None
        try:
            async with asyncio.timeout(WITHIN_S):
                found = await self._whole(body, most, receive)
        except TimeoutError:
            found = TOO_SLOW
        finally:
            if not isinstance(found, bytes):
                self._held -= len(body)
        return found

    async def _whole(self, body: bytearray, most: int, receive: Receive) -> bytes | Problem | None:
        while (message := await receive())["type"] == "http.request":
            part = message.get("body", b"")
            body += part
            self._held += len(part)
            if len(body) > most:
                return _too_large(most)
            if self._held > ALL:
                return TOO_MANY
            if not message.get("more_body", False):
                return bytes(body)
        return None

    def drop(self, body: bytes) -> None:
        """It is not needed any more."""
        self._held -= len(body)


def again(body: bytes, receive: Receive) -> Receive:
    """What reads the same body again, and then whatever else comes."""
    is_read = False

    async def once() -> Message:
        nonlocal is_read
        if is_read:
            return await receive()
        is_read = True
        return {"type": "http.request", "body": body, "more_body": False}

    return once


def _too_large(most: int) -> Problem:
    step = "Send less at once; what is larger is read by no door."
    return simple(413, "too-large", f"a body here has at most {most} bytes", step)
