"""The role of journeys: HTTP requests through the front door, as users make them."""

import time
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

import httpx

from rollback_manager.catalogue import Journey
from rollback_manager.verification import Answer, Verdict

MOST_BYTES = 1_000_000
"""Of an answer, looked through for a journey's text; a page that users wait for is smaller."""
LONGEST_TEXT = 300


class Seen(NamedTuple):
    """What came back. elapsed_ms: until the last byte that was read."""

    status: int
    elapsed_ms: float
    body: bytes


class HttpJourneys:
    """The journeys of one service, one after the other, none followed through a redirect."""

    def __init__(self, journeys: tuple[Journey, ...], client: httpx.Client) -> None:
        self._journeys = journeys
        self._client = client

    def run(self) -> tuple[Verdict, ...]:
        """One verdict per journey, check named `journey: <name>`; none without journeys.

        No answer is a failed journey, for users get none either. Only a journey that was not asked
        at all (its URL is none, or too much else is under way here) is an error.
        """
        return tuple(self._verdict(journey, journey.get) for journey in self._journeys)

    def run_at(self, address: str) -> tuple[Verdict, ...]:
        """The same at one instance, past the proxy: what users' clients say of the host is kept."""
        return tuple(
            self._verdict(journey, _moved(journey.get, address)) for journey in self._journeys
        )

    def _verdict(self, journey: Journey, url: str) -> Verdict:
        try:
            answer, because = _judged(journey, self._ask(journey, url))
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            answer, because = Answer.ERROR, f"cannot be asked: {_text(error)}"
        except httpx.PoolTimeout:  # never sent, so it says nothing of what users see
            answer, because = Answer.ERROR, "not asked: too many requests under way here"
        except httpx.TimeoutException:
            answer, because = Answer.FAILED, f"no answer within {journey.within_ms:.0f} ms"
        except (httpx.HTTPError, httpx.StreamError) as error:
            answer, because = Answer.FAILED, f"users cannot reach it: {_text(error)}"
        check = f"journey: {journey.name}"
        return Verdict(check=check, answer=answer, because=f"GET {url}: {because}")

    def _ask(self, journey: Journey, url: str) -> Seen:
        """Reads on for as long as the journey may take, and no longer: a slow drip ends, too."""
        begun, within_s = time.perf_counter(), journey.within_ms / 1000
        body = b""
        host = {"Host": urlsplit(journey.get).netloc} if url != journey.get else {}
        with self._client.stream(
            "GET", url, headers=host, timeout=within_s, follow_redirects=False
        ) as answer:
            for chunk in answer.iter_bytes():
                body += chunk
                if len(body) > MOST_BYTES or time.perf_counter() - begun > within_s:
                    break
        return Seen(answer.status_code, (time.perf_counter() - begun) * 1000, body)


def _moved(url: str, address: str) -> str:
    """Path and query of `url` at another address."""
    parts = urlsplit(url)
    return address.rstrip("/") + urlunsplit(("", "", parts.path or "/", parts.query, ""))


def _judged(journey: Journey, seen: Seen) -> tuple[Answer, str]:
    wrong = []
    if seen.status != journey.status:
        wrong.append(f"expected {journey.status}")
    if seen.elapsed_ms > journey.within_ms:
        wrong.append(f"slower than {journey.within_ms:.0f} ms")
    if journey.contains and journey.contains.encode() not in seen.body:
        wrong.append(f"without the text {journey.contains!r}")
    found = f", {journey.contains!r} found" if journey.contains and not wrong else ""
    facts = "; ".join((f"{seen.status} in {seen.elapsed_ms:.0f} ms{found}", *wrong))
    return Answer.FAILED if wrong else Answer.PASSED, facts


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:LONGEST_TEXT]
