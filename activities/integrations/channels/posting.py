"""One POST of JSON, as every channel over HTTP needs it: bounded, without secrets in errors."""

import time
from collections.abc import Mapping

import httpx

from rollback_manager.errors import PermanentError, TemporaryError

WITHIN_S = 4.0
"""For the whole answer: below the time that the workflow gives one attempt."""
MOST_BYTES = 64_000
LONGEST_WAIT_S = 20.0
"""Of a `Retry-After` that is heeded: by then the rollback has other news."""
LONGEST_TEXT = 200

EFFECT = "Somebody was not told. The rollback goes on."


def post(
    client: httpx.Client, name: str, url: str, body: bytes, headers: Mapping[str, str]
) -> bytes:
    """The answer's body, of a 2xx. name: of the channel, for errors.

    Raises TemporaryError where it is down, slow, busy (429) or broken (5xx), else PermanentError.
    """
    try:
        status, wait_s, answer = _sent(client, url, body, headers)
    except httpx.TimeoutException as error:
        raise TemporaryError(f"{name}: no answer within {WITHIN_S:.0f} s", effect=EFFECT) from error
    except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, ValueError) as error:
        raise TemporaryError(f"{name}: {type(error).__name__}", effect=EFFECT) from error
    if 200 <= status < 300:
        return answer
    said = f"{name}: answered {status}"
    if status == 429 or status >= 500:
        raise TemporaryError(said, retry_after_s=wait_s, effect=EFFECT)
    raise refused(name, f"answered {status}")


def refused(name: str, because: str) -> PermanentError:
    """Trying again does not help."""
    return PermanentError(
        f"{name}: {because[:LONGEST_TEXT]}",
        effect=EFFECT,
        next_step="Mend `notifications` in the catalogue, or what its references name.",
    )


def _sent(
    client: httpx.Client, url: str, body: bytes, headers: Mapping[str, str]
) -> tuple[int, float, bytes]:
    """Status, seconds to wait, body; reads no longer than WITHIN_S and no more than MOST_BYTES."""
    until, read = time.perf_counter() + WITHIN_S, bytearray()
    given = {"Content-Type": "application/json; charset=utf-8", **headers}
    with client.stream(
        "POST", url, content=body, headers=given, timeout=WITHIN_S, follow_redirects=False
    ) as answer:
        for chunk in answer.iter_bytes():
            read += chunk
            if len(read) > MOST_BYTES:
                raise ValueError("more than a channel has to say")
            if time.perf_counter() > until:
                raise httpx.ReadTimeout("still answering")
        return answer.status_code, _wait_s(answer.headers.get("Retry-After", "")), bytes(read)


def _wait_s(told: str) -> float:
    """Seconds; one where nothing readable stands there."""
    known = float(told) if told.isascii() and told.isdigit() and len(told) < 6 else 1.0
    return min(max(known, 1.0), LONGEST_WAIT_S)
