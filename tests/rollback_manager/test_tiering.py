"""What planning makes of catalogue and records: the tier, with its reasons, and who is asked."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rollback_manager.authority.level import SecurityLevel
from rollback_manager.authority.origin import Origin
from rollback_manager.authority.quorum import Authority
from rollback_manager.contract import RollbackRequest
from rollback_manager.fleet import together
from rollback_manager.incidents.triggers import TriggerKind
from rollback_manager.metrics.reading import Snapshot
from rollback_manager.plan import RollbackPlan
from rollback_manager.planning.facts import Past, PlanningFacts
from rollback_manager.planning.foreseen import found
from rollback_manager.planning.service import plan_service
from rollback_manager.planning.whole import assemble
from rollback_manager.policy import Policy
from rollback_manager.release import Release, Standing
from rollback_manager.rendering import terminal_plan
from rollback_manager.strategies import strategy_named
from rollback_manager.tier import Tier
from rollback_manager.tiering import Rules, authority

NOW = datetime(2026, 3, 1, 14, 0, tzinfo=UTC)
REQUEST = RollbackRequest(env="prod", services=("shop",), key="inc-1", requested_by="ana")
FREE = Policy.model_validate({"approval": {"required": False}})
RULES = Rules(
    level=SecurityLevel.SECURED,
    owners={"shop": ("payments",)},
    pair_tested={"shop": True},
    cool_down_s=1800,
)


def rehearsed(days: float) -> Past:
    return Past(
        verified=True, traffic_back_s=9, verified_s=99, finished_at=NOW - timedelta(days=days)
    )


def begun_by(parent: str) -> Origin:
    return Origin(rollback="rollback/prod/inc-1", run="r", parent=parent, at=NOW)


def facts(*past: Past, strategy: str = "blue_green") -> PlanningFacts:
    return PlanningFacts(
        service="shop",
        strategy=strategy_named(strategy),
        policy=FREE,
        releases=(
            Release(
                version="v1",
                digest="sha256:1",
                recorded_at=NOW,
                recorded_by="ci",
                standing=Standing.VERIFIED,
            ),
        ),
        shares={"v2": 100},
        running={"v1": 2, "v2": 2},
        ready={"v1": 2, "v2": 2},
        digests={"v1": "sha256:1", "v2": "sha256:2"},
        snapshot=Snapshot(taken_at=NOW, versions={}),
        past=past,
        now=NOW,
    )


def judged(
    known: PlanningFacts, rules: Rules = RULES, **request: Any
) -> tuple[Authority, RollbackPlan]:
    asked = REQUEST.model_copy(update=request)
    plan = plan_service(known, None)
    policy = together.approval([known.policy])
    own = authority(asked, {"shop": (known, plan)}, policy, rules)
    looks = ((known, plan, found(known, ())),)
    return own, assemble(asked, str(rules.level), looks, NOW, authority=own)


@pytest.mark.parametrize(
    ("known", "rules", "request_", "tier", "because"),
    [
        (facts(rehearsed(1)), {}, {}, Tier.T1, "blue_green"),
        (facts(rehearsed(41)), {}, {}, Tier.T2, "41 d old"),
        (facts(rehearsed(30)), {}, {}, Tier.T1, "blue_green"),
        (facts(), {}, {}, Tier.T2, "no fresh rehearsal"),
        (facts(), {"tier_up": False}, {}, Tier.T1, "blue_green"),
        (facts(rehearsed(0.01)), {}, {}, Tier.T2, "rolled back 14 min ago"),
        (facts(rehearsed(1)), {"pair_tested": {"shop": False}}, {}, Tier.T2, "N/N-1"),
        (facts(rehearsed(1), strategy="rolling_update"), {}, {}, Tier.T2, "rolling_update"),
        (facts(rehearsed(1), strategy="canary"), {}, {}, Tier.T0, "canary"),
        (
            facts(rehearsed(1)),
            {},
            {"trigger": str(TriggerKind.SECURITY_INCIDENT)},
            Tier.T3,
            "security incident",
        ),
    ],
)
def test_the_tier_of_a_plan_and_why(
    known: PlanningFacts, rules: dict[str, Any], request_: dict[str, Any], tier: Tier, because: str
) -> None:
    own, plan = judged(known, RULES.model_copy(update=rules), **request_)
    assert own.tiered.tier is tier
    assert because in own.tiered.because
    assert (plan.tier, plan.tier_because) == (tier, own.tiered.because)


def test_the_plan_asks_as_many_as_its_tier_says_and_tells_so_on_a_terminal() -> None:
    _, plan = judged(facts(rehearsed(41)))
    assert plan.approval.required
    assert plan.quorum is not None
    assert (plan.quorum.votes, plan.quorum.not_requester) == (1, True)
    text = terminal_plan.plan(plan)
    assert "T2: blue_green; the rehearsal is 41 d old (limit 30): one tier up" in text
    assert "T2: 1 person, nobody who asked for it" in text
    assert "--confirm" not in text


def test_an_incidents_own_rollback_needs_nobody_at_t1_and_a_persons_one_does() -> None:
    own: dict[str, Any] = {
        "incident": "incident/prod/shop/v2",
        "requested_by": "incident/prod/shop/v2",
        "origin": begun_by("incident/prod/shop/v2"),
    }
    assert not judged(facts(rehearsed(1)), **own)[1].approval.required
    by_words_alone = {**own, "origin": None}
    assert judged(facts(rehearsed(1)), **by_words_alone)[1].approval.required
    by_another = {**own, "origin": begun_by("incident/prod/shop/v1")}
    assert judged(facts(rehearsed(1)), **by_another)[1].approval.required
    assert judged(facts(rehearsed(1)))[1].approval.required
    assert judged(facts(rehearsed(1)), **own, needs_approval=True)[1].approval.required
    assert judged(facts(rehearsed(41)), **own)[1].approval.required


def test_on_a_word_to_an_incident_that_nobody_signed_somebody_is_asked_also_at_t0() -> None:
    incident = "incident/prod/shop/v2"
    canary = facts(rehearsed(1), strategy="canary")
    own: dict[str, Any] = {"incident": incident, "origin": begun_by(incident)}
    assert not judged(canary, requested_by=incident, **own)[1].approval.required
    _, plan = judged(canary, requested_by="ana", **own)
    assert plan.tier is Tier.T0
    assert plan.quorum is not None
    assert plan.quorum.votes == 1


@pytest.mark.parametrize("parent", ["incident/prod/shop/v1", "rollback/prod/shop", "mallory"])
@pytest.mark.parametrize("by_name", ["ana", "", None])
def test_a_word_to_an_incidents_workflow_under_any_id_is_one_and_a_part_is_none(
    parent: str, by_name: str | None
) -> None:
    canary = facts(rehearsed(1), strategy="canary")
    more: dict[str, Any] = {"incident": "incident/prod/shop/v2", "origin": begun_by(parent)}
    by = parent if by_name is None else by_name
    assert judged(canary, requested_by=by, **more)[1].approval.required
    assert not judged(canary, requested_by=by, word="w", **more)[1].approval.required


@pytest.mark.parametrize(
    "name", ["ana@example.com", "ci:github/8812", "incident/prod/other/v2", "incident/test/shop/v2"]
)
def test_nobody_is_an_incident_by_naming_it_as_they_are_called(name: str) -> None:
    own: dict[str, Any] = {"incident": name, "requested_by": name}
    _, plan = judged(facts(rehearsed(1)), **own)
    assert plan.approval.required
    assert plan.quorum is not None
    assert plan.quorum.votes == 1


def test_at_level_local_policy_alone_asks_and_the_plan_says_what_that_cannot_keep() -> None:
    local = RULES.model_copy(update={"level": SecurityLevel.LOCAL})
    _, plan = judged(facts(), local)
    assert not plan.approval.required
    text = terminal_plan.plan(plan)
    assert "level local has one operator" in text
    assert "--confirm shop" in text


def test_reasons_and_keys_are_no_part_of_what_is_agreed_to_but_the_tier_is() -> None:
    _, plan = judged(facts(rehearsed(41)))
    later = plan.model_copy(update={"tier_because": "42 d"})
    assert later.sealed().digest == plan.digest
    other = plan.model_copy(update={"tier": Tier.T3})
    assert other.sealed().digest != plan.digest
