"""One question to Prometheus' query API, and every way in which it fails as an error of ours."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import httpx

from activities.bearer import token_of
from rollback_manager.errors import PermanentError, RollbackError, TemporaryError, Unreachable
from rollback_manager.metrics.increments import Sample, Series

LONGEST_TEXT = 300
MOST_WARNINGS = 5
MOST_BYTES = 32_000_000
"""Of an answer: 200 services of 10 instances with 25 series each, scraped every 15 s, are 20 MB."""
TIMEOUT_S = 5.0
"""As for every look (reliability R16); Prometheus is told, and gives the query up, too."""
LONGEST_WAIT_S = 60.0
"""As long as we follow a Retry-After: a release is watched by the second."""
BUSY = (408, 429, 499)
CLOCK_S = 5.0
"""Clocks that differ by more make samples look stale or from the future."""
OUTAGES = (
    httpx.TimeoutException,
    httpx.NetworkError,
    httpx.ProxyError,
    httpx.RemoteProtocolError,
)
REFUSALS = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, httpx.CookieConflict)
"""With OUTAGES all that httpx raises; a test holds this to the installed httpx."""
EFFECT = "No release is judged by these counters until they can be read; production is unchanged."


class Answer(NamedTuple):
    """Series with at least one sample, when they arrived, and what Prometheus warned of."""

    series: tuple[Series, ...]
    at: datetime
    warnings: tuple[str, ...]


class Api:
    """The query API below `base_url`. token: by reference, resolved for each question."""

    def __init__(self, base_url: str, client: httpx.Client, token: str | None = None) -> None:
        self._base = base_url.rstrip("/")
        self._client = client
        self._token = token

    def query(self, text: str, at: datetime, timeout_s: float = TIMEOUT_S) -> Answer:
        """The raw samples that the range selector `text` names at the moment `at`.

        Raises Unreachable (down, not ready), TemporaryError (busy, or the query took too long),
        PermanentError (it refuses the query or us, or is no Prometheus).
        """
        asked = {
            "query": text,
            "time": f"{at.timestamp():.3f}",
            "timeout": f"{round(timeout_s * 1000)}ms",
        }
        headers = {"Authorization": f"Bearer {token_of(self._token)}"} if self._token else {}
        with self._mapped(timeout_s):
            status, came, body = self._post(asked, headers, timeout_s)
        arrived = datetime.now(UTC)
        if status != 200:
            raise self._refusal(status, came, body)
        with self._readable():
            return _answer(json.loads(body), arrived, _clock(came, arrived))

    def _post(
        self, asked: dict[str, str], headers: dict[str, str], timeout_s: float
    ) -> tuple[int, httpx.Headers, bytes]:
        """Reads on for as long as the answer may take, and no longer: a slow drip ends, too."""
        until, body = time.perf_counter() + timeout_s, bytearray()
        with self._client.stream(
            "POST",
            f"{self._base}/api/v1/query",
            data=asked,
            headers=headers,
            timeout=timeout_s,
            follow_redirects=False,  # the token is for this host alone
        ) as answer:
            for chunk in answer.iter_bytes():
                body += chunk
                if len(body) > MOST_BYTES:
                    raise self._wrong(f"answers with more than {MOST_BYTES // 1_000_000} MB", WHERE)
                if time.perf_counter() > until:
                    raise httpx.ReadTimeout(f"still answering after {timeout_s:g} s")
            return answer.status_code, answer.headers, bytes(body)

    @contextmanager
    def _mapped(self, timeout_s: float) -> Iterator[None]:
        try:
            yield
        except httpx.PoolTimeout as error:
            raise self._away("was not asked: too many requests under way here") from error
        except httpx.TimeoutException as error:
            raise self._away(f"gave no answer within {timeout_s:g} s") from error
        except OUTAGES as error:
            raise self._away(f"does not answer: {_text(error)}") from error
        except REFUSALS as error:
            raise self._wrong(f"cannot be asked: {_text(error)}") from error

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise self._wrong(f"does not answer as Prometheus does: {_text(error)}") from error

    def _refusal(self, status: int, headers: httpx.Headers, body: bytes) -> RollbackError:
        kind, said = _said(body)
        if status in (401, 403):
            return self._wrong(f"refuses our token ({status})", TOKEN)
        if 300 <= status < 400:
            return self._wrong(f"redirects ({status}); we do not follow, a token is for one host")
        if status in (400, 422):
            return self._wrong(f"refuses the query ({status} {kind}): {said}")
        if status in BUSY or kind in ("timeout", "canceled"):
            what = "has too many queries" if status == 429 else "gave the query up"
            return TemporaryError(
                f"Prometheus at {self._base} {what} ({status} {kind}): {said}",
                retry_after_s=_retry_after_s(headers),
                effect=EFFECT,
                next_step=WHERE,
            )
        if status >= 500:
            return self._away(f"is not able to answer ({status} {kind}): {said}")
        return self._wrong(f"does not answer as Prometheus does: {status}")

    def _away(self, what: str) -> RollbackError:
        return Unreachable(
            f"Prometheus at {self._base} {what}",
            effect=EFFECT,
            next_step=f"Does it run there? curl {self._base}/-/ready",
        )

    def _wrong(self, what: str, next_step: str = "") -> RollbackError:
        return PermanentError(
            f"Prometheus at {self._base} {what}",
            effect=EFFECT,
            next_step=next_step or "Is it the url of `metrics` in the catalogue?",
        )


WHERE = "Fewer series: name labels of the service under `where` in the catalogue."
TOKEN = "Is the `token` in the catalogue the right one?"  # noqa: S105


def _answer(tree: Any, at: datetime, told: tuple[str, ...]) -> Answer:
    if tree["status"] != "success" or tree["data"]["resultType"] != "matrix":
        raise ValueError(f"status {tree['status']!r}, no samples")
    series = tuple(_series(one) for one in tree["data"]["result"] if one.get("values"))
    warned = [*tree.get("warnings", ()), *tree.get("infos", ())][:MOST_WARNINGS]
    return Answer(series, at, (*(str(one)[:LONGEST_TEXT] for one in warned), *told))


def _series(one: Any) -> Series:
    labels = {str(label): str(value) for label, value in one["metric"].items()}
    return Series(
        labels, tuple(sorted(Sample(float(at), float(text)) for at, text in one["values"]))
    )


def _clock(headers: httpx.Headers, now: datetime) -> tuple[str, ...]:
    """What to tell of its clock, by the time that it puts on its answers."""
    try:
        off_s = (parsedate_to_datetime(headers["date"]) - now).total_seconds()
    except (KeyError, ValueError, TypeError):
        return ()
    side = "ahead of" if off_s > 0 else "behind"
    return (f"its clock is {abs(off_s):.0f} s {side} ours",) if abs(off_s) > CLOCK_S else ()


def _said(body: bytes) -> tuple[str, str]:
    """Type and text of its error, or the body as it came."""
    try:
        tree = json.loads(body)
        return str(tree["errorType"])[:40], _short(str(tree["error"]))
    except (ValueError, KeyError, TypeError, RecursionError):
        return "no type", _short(body[:LONGEST_TEXT].decode(errors="replace"))


def _retry_after_s(headers: httpx.Headers) -> float:
    text = headers.get("retry-after", "")
    return min(float(text), LONGEST_WAIT_S) if text.isdecimal() else 1.0


def _text(error: Exception) -> str:
    return _short(f"{type(error).__name__}: {error}")


def _short(text: str) -> str:
    return " ".join(text.split())[:LONGEST_TEXT]
