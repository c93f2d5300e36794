"""Whether Slack sent it is decided on raw bytes, before anything is read."""

import time
from collections.abc import Mapping

import pytest

from demo.slack import SlackPerson, signed
from proof.attack.slack import Attempt, mutated
from starters.gateway.slack.verification import MOST_BYTES, NotSlack, verified

SECRET, OLD = "the-new-secret", "the-old-secret"
NOW = 1_700_000_000.0
BODY = SlackPerson().click("approve", "prod/inc-1.n0")


def headers_of(given: Mapping[str, str]) -> dict[str, list[str]]:
    return {name.lower(): [value] for name, value in given.items()}


def passes(attempt: Attempt, now_s: float = NOW) -> bool:
    headers: dict[str, list[str]] = {}
    for name, value in attempt.headers:
        headers.setdefault(name.lower(), []).append(value.decode("latin-1"))
    try:
        verified(headers, attempt.body, (SECRET, OLD), now_s)
    except NotSlack:
        return False
    return True


@pytest.mark.parametrize("secret", [SECRET, OLD])
def test_both_live_secrets_count_while_one_is_replaced(secret: str) -> None:
    given = signed(secret, BODY, NOW)
    assert verified(headers_of(given), BODY, (SECRET, OLD), NOW) == given["X-Slack-Signature"]


@pytest.mark.parametrize(("off", "counts"), [(-301, 0), (-300, 1), (299, 1), (300, 1), (301, 0)])
def test_five_minutes_on_both_sides_of_now_count(off: int, counts: int) -> None:
    given = headers_of(signed(SECRET, BODY, NOW + off))
    assert passes(Attempt(what="", headers=flat(given), body=BODY)) == bool(counts)


def flat(given: dict[str, list[str]]) -> tuple[tuple[str, bytes], ...]:
    return tuple((name, value.encode()) for name, values in given.items() for value in values)


def test_no_mutation_of_a_valid_request_passes_and_nothing_but_our_refusal_is_raised() -> None:
    attempts = list(mutated(SECRET, BODY, NOW))
    assert len(attempts) >= 5000
    passed = [one.what for one in attempts if passes(one)]
    assert passed == []


def test_without_a_secret_nothing_passes() -> None:
    given = headers_of(signed("", BODY, NOW))
    with pytest.raises(NotSlack):
        verified(given, BODY, (), NOW)


def test_a_body_too_long_is_refused_before_its_signature_is_computed() -> None:
    body = b"x" * (MOST_BYTES + 1)
    started = time.perf_counter()
    with pytest.raises(NotSlack, match="too long"):
        verified(headers_of(signed(SECRET, body, NOW)), body, (SECRET,), NOW)
    assert time.perf_counter() - started < 0.5
