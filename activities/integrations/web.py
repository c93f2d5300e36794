"""Documents of other parties over HTTPS, such as an identity provider's: small, and soon or never.

Not for what a vendor's own file reaches.
"""

import asyncio
from collections.abc import Mapping

import httpx

from rollback_manager.errors import Unreachable

MOST_BYTES = 262_144
WITHIN_S = 5.0
"""For the whole answer: a person waits at a door."""


class Documents:
    """client: without redirects, proxies and cookies (wired in `workers`)."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def get(self, url: str) -> tuple[int, bytes]:
        """Status and body; Unreachable where there is no answer in time."""
        return await self._answer(self._client.build_request("GET", url))

    async def post(self, url: str, fields: Mapping[str, str]) -> tuple[int, bytes]:
        """The same of a form that is sent."""
        return await self._answer(self._client.build_request("POST", url, data=dict(fields)))

    async def _answer(self, request: httpx.Request) -> tuple[int, bytes]:
        host = request.url.host
        try:
            async with asyncio.timeout(WITHIN_S):
                return await self._read(request)
        except (TimeoutError, httpx.TimeoutException) as error:
            raise Unreachable(f"{host} has not answered within {WITHIN_S:.0f} s") from error
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL) as error:
            raise Unreachable(f"{host} does not answer: {type(error).__name__}") from error

    async def _read(self, request: httpx.Request) -> tuple[int, bytes]:
        answer = await self._client.send(request, stream=True, follow_redirects=False)
        body = bytearray()
        try:
            async for part in answer.aiter_bytes():
                body += part
                if len(body) > MOST_BYTES:
                    raise Unreachable(f"{request.url.host} answers with more than is read")
        finally:
            await answer.aclose()
        return answer.status_code, bytes(body)
