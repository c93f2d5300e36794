"""Questions to Envoy's admin port, and every way in which they fail as an error of ours."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from rollback_manager.errors import PermanentError, RollbackError, Unreachable

LONGEST_TEXT = 300
OUTAGES = (
    httpx.TimeoutException,
    httpx.NetworkError,
    httpx.ProxyError,
    httpx.RemoteProtocolError,
)
REFUSALS = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, httpx.CookieConflict)
"""With OUTAGES all that httpx raises; a test holds this to the installed httpx."""


class Admin:
    """One Envoy's admin interface; every answer is of now, none is kept."""

    def __init__(self, base_url: str, client: httpx.Client) -> None:
        self._base = base_url.rstrip("/")
        self._client = client

    def stats(
        self, pattern: str, *, used: bool = False
    ) -> tuple[dict[str, Any], dict[str, list[dict[str, Any]]]]:
        """Values by full name, and histograms as rows of buckets; what never counted is absent.

        used: without the zeros of what never counted; of many services that is most of it.
        """
        asked = {"format": "json", "histogram_buckets": "cumulative", "filter": pattern}
        asked |= {"usedonly": ""} if used else {}
        answer = self._get("/stats", asked)
        with self._readable():
            values = {one["name"]: one.get("value") for one in answer["stats"] if "name" in one}
            rows = [row for one in answer["stats"] for row in one.get("histograms", ())]
            return values, {row["name"]: row["buckets"] for row in rows}

    def routes_in_force(self, name: str) -> Any:
        """The route configuration that requests are sent by; {} while there is none.

        Its version is not to be had here: the dump keeps an older one when only that changed.
        """
        asked = {"resource": "dynamic_route_configs", "name_regex": f"^{re.escape(name)}$"}
        answer = self._get("/config_dump", asked)
        with self._readable():
            found = [one["route_config"] for one in answer.get("configs", ())]
            return next((one for one in found if one["name"] == name), {})

    def _get(self, path: str, asked: dict[str, str]) -> Any:
        with self._mapped():
            answer = self._client.get(self._base + path, params=asked)
            answer.raise_for_status()
        with self._readable():
            return json.loads(answer.content)

    @contextmanager
    def _mapped(self) -> Iterator[None]:
        try:
            yield
        except httpx.PoolTimeout as error:
            raise self._away("was not asked: too many requests under way here") from error
        except OUTAGES as error:
            raise self._unreachable(error) from error
        except httpx.HTTPStatusError as error:
            server = error.response.is_server_error
            raise (self._unreachable(error) if server else self._refused(error)) from error
        except REFUSALS as error:
            raise self._refused(error) from error

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise self._refused(error) from error

    def _unreachable(self, error: Exception) -> RollbackError:
        return self._away(f"does not answer: {_text(error)}")

    def _away(self, what: str) -> RollbackError:
        return Unreachable(
            f"Envoy's admin interface at {self._base} {what}",
            effect="Traffic stays as Envoy last had it.",
            next_step=f"Does Envoy run there? curl {self._base}/ready",
        )

    def _refused(self, error: Exception) -> RollbackError:
        return PermanentError(
            f"{self._base} does not answer as Envoy's admin interface does: {_text(error)}",
            effect="Traffic stays as Envoy last had it.",
            next_step="Is it the admin address of the catalogue?",
        )


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:LONGEST_TEXT]
