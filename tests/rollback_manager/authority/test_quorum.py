"""How many agree, who counts, and what one operator alone cannot keep."""

from typing import Any

import pytest

from rollback_manager.authority.level import SecurityLevel
from rollback_manager.authority.quorum import Quorum, QuorumFacts, quorum_of, strictest
from rollback_manager.authority.roles import Roles
from rollback_manager.policy import ApprovalPolicy
from rollback_manager.tier import Tier

FREE, ASKED = ApprovalPolicy(required=False), ApprovalPolicy()


def facts(tier: Tier, **changes: Any) -> QuorumFacts:
    known: dict[str, Any] = {
        "level": SecurityLevel.SECURED,
        "tier": tier,
        "policy": FREE,
        "owners": ("payments",),
        "approvers": ("leads",),
        "roles": Roles(on_call=("on-call",), incident_commander=("commanders",)),
    }
    return QuorumFacts(**(known | changes))


@pytest.mark.parametrize(
    ("tier", "changes", "votes"),
    [
        (Tier.T0, {}, 0),
        (Tier.T0, {"policy": ASKED}, 1),
        (Tier.T1, {}, 1),
        (Tier.T1, {"automatic": True}, 0),
        (Tier.T1, {"automatic": True, "policy": ASKED}, 1),
        (Tier.T2, {}, 1),
        (Tier.T2, {"automatic": True}, 1),
        (Tier.T2, {"asked": 2}, 2),
        (Tier.T3, {}, 2),
        (Tier.T3, {"automatic": True, "asked": 1}, 2),
        (Tier.T0, {"level": SecurityLevel.LOCAL}, 0),
        (Tier.T3, {"level": SecurityLevel.LOCAL}, 0),
        (Tier.T3, {"level": SecurityLevel.LOCAL, "policy": ASKED}, 1),
        (Tier.T3, {"level": SecurityLevel.LOCAL, "asked": 2}, 1),
    ],
)
def test_so_many_agree(tier: Tier, changes: dict[str, Any], votes: int) -> None:
    assert quorum_of(facts(tier, **changes)).votes == votes


def test_from_t2_on_the_requester_does_not_count_and_t3_needs_an_owner() -> None:
    two, three = quorum_of(facts(Tier.T2)), quorum_of(facts(Tier.T3))
    assert (two.not_requester, two.of_owners) == (True, ())
    assert (three.not_requester, three.of_owners) == (True, ("payments",))
    assert three.because == "T3: 2 people, 1 of them of payments, nobody who asked for it"
    assert not quorum_of(facts(Tier.T1)).not_requester


def test_those_on_call_agree_to_what_is_light_alone() -> None:
    assert quorum_of(facts(Tier.T1)).among == ("commanders", "leads", "on-call", "payments")
    assert quorum_of(facts(Tier.T2)).among == ("commanders", "leads", "payments")


def test_what_a_freeze_stops_needs_a_commander_whatever_the_tier() -> None:
    light = quorum_of(facts(Tier.T0, stopped=True))
    assert (light.votes, light.of_commanders, light.kinds) == (
        1,
        ("commanders",),
        (("commanders",),),
    )
    assert light.because == "T0: 1 person, 1 of them an incident commander (frozen)"
    heavy = quorum_of(facts(Tier.T3, stopped=True))
    assert heavy.kinds == (("payments",), ("commanders",))
    assert quorum_of(facts(Tier.T3)).of_commanders == ()
    assert quorum_of(facts(Tier.T3, level=SecurityLevel.LOCAL, stopped=True)).kinds == ()
    assert strictest([quorum_of(facts(Tier.T0)), light]).of_commanders == ("commanders",)


def test_level_local_says_that_it_has_no_second_person() -> None:
    alone = quorum_of(facts(Tier.T2, level=SecurityLevel.LOCAL, policy=ASKED))
    assert "level local has one operator" in alone.because
    assert (alone.not_requester, alone.among) == (False, ())
    assert quorum_of(facts(Tier.T1, level=SecurityLevel.LOCAL)).because == ""


def test_one_vote_for_several_plans_satisfies_the_strictest() -> None:
    one = Quorum(votes=1, among=("a",), escalate_s=900, remind_s=600)
    two = Quorum(votes=2, not_requester=True, of_owners=("p",), among=("b",), escalate_s=60)
    both = strictest([one, two])
    assert (both.votes, both.not_requester, both.of_owners) == (2, True, ("p",))
    assert (both.among, both.escalate_s, both.remind_s) == (("a", "b"), 60, 0)
