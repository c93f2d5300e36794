"""One issuer's keys: asked for seldom, kept for a day while it is down, and nobody waits twice."""

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from proof.attack.identity_provider import Provider, new_key
from rollback_manager.authority.ci_rules import Source
from rollback_manager.errors import Unreachable
from starters.gateway.key_set import ASK_EVERY_S, FRESH_S, KEPT_S, MOST_KEYS, KeySet, read

NOW = datetime(2026, 12, 24, 12, tzinfo=UTC)
KEY = new_key()


def document(*kids: str) -> dict[str, Any]:
    (key,) = json.loads(Provider(Source.GITHUB, NOW, key=KEY).jwks())["keys"]
    return {"keys": [key | {"kid": kid} for kid in kids]}


class Issuing:
    """A key set over the wire, counted; it can be down, or slow."""

    def __init__(self, *kids: str) -> None:
        self.asked, self.held = 0, document(*kids)
        self.down = False
        self.goes_on = asyncio.Event()
        self.goes_on.set()
        self.clock = 0.0
        self.keys = KeySet(self.fetch, lambda: Unreachable("nobody can tell"), lambda: self.clock)

    async def fetch(self) -> Mapping[str, Any]:
        self.asked += 1
        await self.goes_on.wait()
        if self.down:
            raise Unreachable("it does not answer")
        return self.held


async def test_strangers_cannot_make_the_gateway_ask_for_keys_all_the_time() -> None:
    issuing = Issuing("one")
    for number in range(1000):
        assert await issuing.keys.key(f"invented-{number}") is None
    assert issuing.asked == 1
    issuing.clock = ASK_EVERY_S
    assert await issuing.keys.key("one")
    assert issuing.asked == 1


async def test_a_new_key_is_found_and_one_that_was_taken_back_is_not() -> None:
    issuing = Issuing("one")
    assert await issuing.keys.key("one")
    issuing.held = document("two")
    issuing.clock = ASK_EVERY_S - 1
    assert await issuing.keys.key("two") is None
    issuing.clock = ASK_EVERY_S
    assert await issuing.keys.key("two")
    assert await issuing.keys.key("one") is None


async def test_a_key_that_is_known_is_asked_for_again_after_an_hour() -> None:
    issuing = Issuing("one")
    assert await issuing.keys.key("one")
    issuing.held, issuing.clock = document("two"), FRESH_S
    assert await issuing.keys.key("one")
    issuing.clock = FRESH_S + 1
    assert await issuing.keys.key("one") is None


async def test_an_issuer_that_is_down_vouches_for_a_day_by_what_it_said() -> None:
    issuing = Issuing("one")
    assert await issuing.keys.key("one")
    issuing.down = True
    for clock in (FRESH_S + 1, KEPT_S - 1, KEPT_S):
        issuing.clock = clock
        assert await issuing.keys.key("one")
    issuing.clock = KEPT_S + 1
    with pytest.raises(Unreachable, match="nobody can tell"):
        await issuing.keys.key("one")
    issuing.down, issuing.clock = False, KEPT_S + 1 + ASK_EVERY_S
    assert await issuing.keys.key("one")


async def test_all_wait_for_one_question_and_one_who_leaves_spoils_it_for_nobody() -> None:
    issuing = Issuing("one")
    issuing.goes_on.clear()
    first, *others = [asyncio.create_task(issuing.keys.key("one")) for _ in range(50)]
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    issuing.goes_on.set()
    async with asyncio.timeout(2):
        assert all(await asyncio.gather(*others))
    assert issuing.asked == 1


@pytest.mark.parametrize(
    "held",
    [{}, {"keys": []}, {"keys": {}}, {"keys": [{"kty": "oct", "kid": "one", "k": "AA"}]}],
)
async def test_what_is_no_key_set_gives_no_key(held: dict[str, Any]) -> None:
    issuing = Issuing()
    issuing.held = held
    with pytest.raises(Unreachable):
        await issuing.keys.key("one")


async def test_what_is_no_key_set_leaves_those_that_are_known() -> None:
    issuing = Issuing("one")
    assert await issuing.keys.key("one")
    issuing.held, issuing.clock = {"keys": ["x"]}, FRESH_S + 1
    assert await issuing.keys.key("one")


def test_what_is_no_public_key_for_signatures_is_passed_over() -> None:
    (good,) = document("good")["keys"]
    bad = [
        "x",
        {},
        {"kty": "oct", "kid": "secret", "k": "AA"},
        good | {"kid": "private", "d": "AQAB"},
        good | {"kid": "for-encryption", "use": "enc"},
        good | {"kid": 7},
        good | {"kid": "broken", "n": "!"},
        good | {"kid": "strange", "alg": "XX"},
    ]
    assert list(read({"keys": [*bad, good]})) == ["good"]
    many = document(*(f"k-{number}" for number in range(MOST_KEYS + 1)))
    assert len(read(many)) == MOST_KEYS
