"""A number out of the JSON that an HTTP endpoint answers, found by a pointer of the catalogue."""

import json
import math
import time
from datetime import UTC, datetime
from typing import Any

import httpx

from activities.bearer import token_of
from rollback_manager.errors import PermanentError
from rollback_manager.metrics.business import NoNumber, Number
from rollback_manager.metrics.sources import BusinessSource

MOST_BYTES = 100_000
"""Of an answer: one number among what a dashboard asks for, not an export."""
LONGEST_TEXT = 300


class HttpJson:
    """One business number. Asked anew at each call; nothing is kept."""

    def __init__(self, source: BusinessSource, client: httpx.Client) -> None:
        self._source = source
        self._client = client

    def read(self) -> Number | NoNumber:
        """The number, or the reason why there is none; every outage is a reason, never an error."""
        try:
            value = _number(_found(_parsed(self._ask()), self._source.pointer))
        except _Reason as reason:
            return NoNumber(name=self._source.name, because=f"GET {self._source.url}: {reason}")
        return Number(
            name=self._source.name,
            value=value,
            unit=self._source.unit,
            taken_at=datetime.now(UTC),
        )

    def _ask(self) -> bytes:
        try:
            return self._read_all()
        except PermanentError as error:  # of the token: its text names the reference alone
            raise _Reason(error.what) from error
        except httpx.PoolTimeout as error:
            raise _Reason("not asked: too many requests under way here") from error
        except httpx.TimeoutException as error:
            raise _Reason(f"slow: no answer within {self._source.within_ms:.0f} ms") from error
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL) as error:
            said = " ".join(f"{type(error).__name__}: {error}".split())[:LONGEST_TEXT]
            raise _Reason(f"down: {said}") from error

    def _read_all(self) -> bytes:
        """Reads on for as long as the answer may take, and no longer: a slow drip ends, too."""
        within_s, token = self._source.within_ms / 1000, self._source.token
        until, body = time.perf_counter() + within_s, bytearray()
        headers = {"Authorization": f"Bearer {token_of(token)}"} if token else {}
        with self._client.stream(
            "GET",
            self._source.url,
            headers={**headers, "Accept": "application/json", "Accept-Encoding": "identity"},
            timeout=within_s,
            follow_redirects=False,  # the token is for this host alone
        ) as answer:
            _check(answer.status_code)
            for chunk in answer.iter_bytes():
                body += chunk
                if len(body) > MOST_BYTES:
                    raise _Reason(f"huge: more than {MOST_BYTES // 1000} kB")
                if time.perf_counter() > until:
                    raise httpx.ReadTimeout("still answering")
            return bytes(body)


class _Reason(Exception):
    """Why there is no number, in words for people."""


def _check(status: int) -> None:
    if 300 <= status < 400:
        raise _Reason(f"redirect: {status}, which is not followed")
    if status in (401, 403):
        raise _Reason(f"refused: {status}, is the token right?")
    if status >= 500:
        raise _Reason(f"unavailable: {status}")
    if status != 200:
        raise _Reason(f"refused: {status}")


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _Reason(f"not JSON: {str(error)[:LONGEST_TEXT]}") from error


def _found(tree: Any, pointer: str) -> Any:
    """What the pointer points at, by RFC 6901."""
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(tree, dict) and key in tree:
            tree = tree[key]
        elif isinstance(tree, list) and _is_index(key) and int(key) < len(tree):
            tree = tree[int(key)]
        else:
            raise _Reason(f"missing: there is no {key!r} of {pointer!r} in the answer")
    return tree


def _is_index(key: str) -> bool:
    return key.isascii() and key.isdecimal() and len(key) < 10 and (key == "0" or key[0] != "0")


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Reason(f"wrong type: a number was expected, not {_type(value)}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if math.isnan(number):
        raise _Reason("not a number: NaN")
    if math.isinf(number):
        raise _Reason("infinite: no count or rate is")
    return number


def _type(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false"}
    return names.get(type(value), "null")
