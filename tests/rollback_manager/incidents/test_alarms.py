"""Alarms that are refused, each with its reason."""

from datetime import timedelta
from typing import Any

import pytest

from rollback_manager.incidents.alarms import AlarmFacts, Refusal, refused
from rollback_manager.policy import DecisionPolicy
from rollback_manager.release import Release
from tests.incidents import NOW, POLICY, RELEASED, after, evidence

RELEASE = Release(version="v2", digest="sha256:1", recorded_at=RELEASED, recorded_by="ci")
DAY = 86_400


def answer(fired_at: Any = None, policy: DecisionPolicy = POLICY, **changes: Any) -> Any:
    known: dict[str, Any] = {
        "service": "shop",
        "version": "v2",
        "service_known": True,
        "release": RELEASE,
        "carries_traffic": True,
        "starting": "",
        "now": NOW,
    }
    facts = AlarmFacts(**(known | changes))
    return refused(evidence(fired_at=fired_at or facts.now), facts, policy)


@pytest.mark.parametrize(
    ("changes", "refusal", "because"),
    [
        ({"service_known": False}, Refusal.UNKNOWN_SERVICE, "no service 'shop'"),
        ({"release": None}, Refusal.UNKNOWN_RELEASE, "no release 'v2'"),
        ({"fired_at": NOW - timedelta(seconds=301)}, Refusal.STALE, "301 s ago, limit 300 s"),
        ({"fired_at": NOW + timedelta(seconds=61)}, Refusal.FROM_THE_FUTURE, "61 s from now"),
        ({"now": after(7 * DAY + 1)}, Refusal.OUTSIDE_THE_WINDOW, "its window is 7 days"),
        ({"carries_traffic": False}, Refusal.OUTSIDE_THE_WINDOW, "no traffic"),
        (
            {"starting": "1 of 4 instances ready", "now": after(20)},
            Refusal.STILL_STARTING,
            "1 of 4 instances ready, 20 s of 300 s",
        ),
    ],
)
def test_a_refusal_says_why(changes: dict[str, Any], refusal: Refusal, because: str) -> None:
    found = answer(**changes)
    assert found.refusal is refusal
    assert because in found.because


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"fired_at": NOW - timedelta(seconds=300)},
        {"fired_at": NOW + timedelta(seconds=60)},
        {"now": after(7 * DAY)},
        {"now": after(20)},
    ],
    ids=["usual", "just fresh", "clocks differ", "last moment of the window", "has come up early"],
)
def test_others_are_let_in(changes: dict[str, Any]) -> None:
    assert answer(**changes) is None


def test_a_release_that_never_comes_up_is_not_excused_for_ever() -> None:
    assert answer(starting="0 of 4 instances ready", now=after(299)) is not None
    assert answer(starting="0 of 4 instances ready", now=after(300)) is None
