"""Each cap, alone: with it a rollback is lowered, without it the same one begins by itself."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollback_manager.decision import caps as capping
from rollback_manager.decision.calibration import Calibration, Level
from rollback_manager.decision.caps import CapName, caps, confidence, strongest, votes
from rollback_manager.decision.engine import decide
from rollback_manager.decision.factors import History
from rollback_manager.decision.facts import Action, DecisionFacts
from rollback_manager.incidents.indicators import Change, Changed, ChangeKind, Outage
from rollback_manager.incidents.triggers import Finding, Source, TriggerKind
from rollback_manager.tier import Tier
from tests.incidents import (
    NOW,
    POLICY,
    RELEASED,
    after,
    analysis,
    evidence,
    facts,
    incident,
    scene,
    way_back,
)

ROLLBACK, REVIEW, FIX, MONITOR = Action
KIND = TriggerKind

OUTAGE = Outage(name="payments", since=after(300), source="its status page")
ELSEWHERE = Change(kind=ChangeKind.DEPLOYMENT, service="cart", what="v9", at=after(200))
CHANGED = Changed(schema_steps=("0042",))
CONTRACT = Changed(schema_steps=("0042",), contract="0042 drops orders.note")
OFTEN_FALSE = Calibration(
    fleet=(Level(trigger=KIND.CRITICAL_ERROR_RATE, nats_from=0, alarms=98, false=19),)
)
"""share (19 + 1) ÷ 100, so the confidence is 1 - 0.2 = 0.8: not above 0.8."""

UNREAD = Calibration(unread="the records do not answer")


def alarm(trigger: TriggerKind, size: float | None = None, **more: Any) -> dict[str, Any]:
    return {"incident": incident(evidence(trigger, size, **more))}


def sighted(**changes: Any) -> dict[str, Any]:
    """An analysis in which the new version is not compared with an old one."""
    return {"analysis": analysis(scene(old=None, **changes))}


CASES = [
    (CapName.AUTOMATION, alarm(KIND.LATENCY_DEGRADATION, 2.5), ROLLBACK, 1, "semi-automated"),
    (CapName.AUTOMATION, alarm(KIND.PERFORMANCE_REGRESSION, 0.6), ROLLBACK, 1, "semi-automated"),
    (CapName.AUTOMATION, alarm(KIND.BUSINESS_METRIC_DROP, 0.3), ROLLBACK, 1, "manual approval"),
    (CapName.AUTOMATION, alarm(KIND.CRITICAL_ERROR_RATE, 0.05), ROLLBACK, 1, "semi-automated"),
    (CapName.AUTOMATION, alarm(KIND.FEATURE_REGRESSION), REVIEW, 0, "allows: manual"),
    (CapName.TIER, {"way_back": way_back(tier=Tier.T2)}, ROLLBACK, 1, "T2 (blue_green)"),
    (CapName.TIER, {"way_back": way_back(tier=Tier.T3)}, ROLLBACK, 2, "T3 (blue_green)"),
    (
        CapName.TIER,
        alarm(KIND.CRITICAL_ERROR_RATE, 0.25, source=Source.CLIENT),
        ROLLBACK,
        1,
        "no detector has said so within 60 s",
    ),
    (
        CapName.TIER,
        alarm(KIND.CRITICAL_ERROR_RATE, 0.25, fired_at=after(359)),
        ROLLBACK,
        1,
        "no detector has said so within 60 s",
    ),
    (
        CapName.DATA_AND_SECURITY,
        {"incident": incident(evidence(), evidence(KIND.SECURITY_INCIDENT, None))},
        ROLLBACK,
        2,
        "security_incident",
    ),
    (
        CapName.DATA_AND_SECURITY,
        {"incident": incident(evidence(), evidence(KIND.DATA_CORRUPTION, None))},
        ROLLBACK,
        2,
        "data_corruption",
    ),
    (CapName.DATA_AND_SECURITY, {"analysis": analysis(changed=CHANGED)}, ROLLBACK, 2, "changed"),
    (CapName.BUDGET, {"budget_left": 0}, REVIEW, 0, "used up"),
    (
        CapName.COOL_DOWN,
        {"history": History(rollbacks=1, last_ended_at=NOW - timedelta(seconds=1799))},
        ROLLBACK,
        1,
        "rolled back 1799 s ago, cool-down 1800 s",
    ),
    (
        CapName.BURNING_BEFORE,
        {"analysis": analysis(burning_since=RELEASED - timedelta(minutes=5))},
        REVIEW,
        0,
        "burns since 13:55Z, before the release",
    ),
    (CapName.OUTAGE_UPSTREAM, sighted(outages=(OUTAGE,)), MONITOR, 0, "payments since 14:05Z"),
    (
        CapName.OUTAGE_UPSTREAM,
        {"analysis": analysis(scene(outages=(OUTAGE,)))},
        REVIEW,
        0,
        "yet the new version alone is hit",
    ),
    (CapName.COMMON_MODE, sighted(common_mode="v1 fails 24 %"), MONITOR, 0, "v1 fails 24 %"),
    (
        CapName.OTHER_CHANGE,
        sighted(changes=(ELSEWHERE,)),
        ROLLBACK,
        1,
        "cart changed at 14:03Z (deployment: v9)",
    ),
    (CapName.NO_WAY_BACK, {"way_back": way_back(target="")}, REVIEW, 0, "no verified release"),
    (CapName.CALIBRATION, {"calibration": UNREAD}, ROLLBACK, 1, "not calibrated: the records"),
    (CapName.CALIBRATION, {"calibration": OFTEN_FALSE}, REVIEW, 0, "0.80, above 0.8 is needed"),
    (
        CapName.RECOVERED,
        {
            "incident": incident(evidence(), evidence(finding=Finding.FINE, fired_at=after(415))),
            "way_back": way_back(tier=Tier.T0),
        },
        MONITOR,
        0,
        "no source says any more",
    ),
]


def test_without_any_cap_it_begins_by_itself() -> None:
    made = decide(facts(), POLICY)
    assert (made.action, made.votes_needed, made.caps) == (ROLLBACK, 0, ())


@pytest.mark.parametrize(
    ("name", "changes", "action", "needed", "because"),
    CASES,
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_cap_lowers_a_rollback_that_would_have_begun(
    name: CapName,
    changes: dict[str, Any],
    action: Action,
    needed: int,
    because: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = decide(facts(**changes), POLICY)
    assert made.proposed is ROLLBACK
    assert (made.action, made.votes_needed) == (action, needed)
    assert because in next(cap.because for cap in made.caps if cap.cap == name)
    others = {cap.cap for cap in made.caps} - {name}
    assert made.requires_approval == (needed > 0)

    monkeypatch.delitem(capping.CAPS, name)
    without = decide(facts(**changes), POLICY)
    assert (without.action, without.votes_needed) != (made.action, made.votes_needed)
    assert {cap.cap for cap in without.caps} == others
    if not others:
        assert (without.action, without.requires_approval) == (ROLLBACK, False)


def test_every_cap_has_a_case() -> None:
    elsewhere = {CapName.OPEN_CONTRACT, CapName.NO_STRONG_SIGN}
    assert {case[0] for case in CASES} | elsewhere == set(CapName)


def test_an_open_schema_contract_means_forward(monkeypatch: pytest.MonkeyPatch) -> None:
    open_contract = facts(analysis=analysis(changed=CONTRACT))
    assert decide(open_contract, POLICY).action is FIX
    monkeypatch.delitem(capping.CAPS, CapName.OPEN_CONTRACT)
    without = decide(open_contract, POLICY)
    assert (without.action, without.votes_needed) == (ROLLBACK, 2)  # data still asks two


def test_weak_signs_alone_never_roll_back(monkeypatch: pytest.MonkeyPatch) -> None:
    # 0.3 + 0.4, × 1.2 = 0.84 is above 0.8: the seed would undo a release for others' troubles
    nothing_of_ours = scene(
        onset_at=None,
        old=None,
        requests_per_s=300,
        usual_per_s=100,
        infrastructure=("node-3 is not ready",),
        outages=(OUTAGE,),
        stores_failing=("orders without lines: 12",),
    )
    known = facts(analysis=analysis(nothing_of_ours).model_copy(update={"outages": ()}))
    made = decide(known, POLICY)
    assert (made.proposed, made.confidence_score) == (ROLLBACK, 0.84)
    assert made.action is REVIEW
    monkeypatch.delitem(capping.CAPS, CapName.NO_STRONG_SIGN)
    assert decide(known, POLICY).action is ROLLBACK


@pytest.mark.parametrize("kind", [KIND.SECURITY_INCIDENT, KIND.DATA_CORRUPTION])
@pytest.mark.parametrize("changes", [{"outages": (OUTAGE,)}, {"common_mode": "v1 as well"}])
def test_with_data_or_security_at_stake_nobody_just_waits(
    kind: TriggerKind, changes: dict[str, Any]
) -> None:
    grave = facts(incident=incident(evidence(), evidence(kind, None)), **sighted(**changes))
    assert decide(grave, POLICY).action is REVIEW


@pytest.mark.parametrize(
    ("kind", "action", "needed"),
    [(KIND.SECURITY_INCIDENT, ROLLBACK, 2), (KIND.DATA_CORRUPTION, REVIEW, 0)],
)
def test_data_and_security_alone(kind: TriggerKind, action: Action, needed: int) -> None:
    made = decide(facts(incident=incident(evidence(kind, None))), POLICY)
    assert (made.action, made.votes_needed) == (action, needed)


@pytest.mark.parametrize(
    "changes",
    [
        {"budget_left": None},
        {"budget_left": 1},
        {"history": History(rollbacks=1, last_ended_at=NOW - timedelta(seconds=1800))},
        {"history": History(rollbacks=9, false_alarms=9)},
        {"way_back": way_back(tier=Tier.T0)},
        {"incident": incident(evidence(fired_at=after(360)))},  # 60 s ago
        {"analysis": analysis(scene(changes=(ELSEWHERE,)))},  # the new version alone fails
        {"analysis": analysis(burning_since=after(1))},
        {"incident": incident(evidence(), evidence(KIND.FEATURE_REGRESSION, None))},
        {
            "calibration": Calibration(
                fleet=(Level(trigger=KIND.CRITICAL_ERROR_RATE, nats_from=0, alarms=98, false=18),)
            )  # 1 - 19 ÷ 100 = 0.81
        },
    ],
    ids=str,
)
def test_just_inside_every_limit_it_begins_by_itself(changes: dict[str, Any]) -> None:
    made = decide(facts(**changes), POLICY)
    assert (made.action, made.requires_approval, made.caps) == (ROLLBACK, False, ())


def test_the_calibrated_confidence_is_that_of_the_best_attested_alarm() -> None:
    levels = (
        Level(trigger=KIND.CRITICAL_ERROR_RATE, nats_from=0, alarms=98, false=49),
        Level(trigger=KIND.LATENCY_DEGRADATION, nats_from=0, alarms=98, false=0),
    )
    both = incident(evidence(), evidence(KIND.LATENCY_DEGRADATION, 2.5))
    known = facts(incident=both, calibration=Calibration(fleet=levels))
    assert confidence(known, POLICY).confidence == pytest.approx(0.99)


changed_facts = st.builds(
    lambda parts: facts(**{k: v for part in parts for k, v in part.items()}),
    st.lists(st.sampled_from([case[1] for case in CASES]), max_size=4),
)


@given(changed_facts)
def test_caps_only_ever_lower(known: DecisionFacts) -> None:
    made = decide(known, POLICY)
    order = list(Action)
    assert order.index(made.action) >= order.index(made.proposed) or made.proposed is made.action
    if made.proposed is not ROLLBACK:
        assert made.action is made.proposed


@given(changed_facts, st.sampled_from(CapName))
def test_one_cap_more_is_never_less_careful(known: DecisionFacts, dropped: CapName) -> None:
    found = caps(known, POLICY)
    fewer = [cap for cap in found if cap.cap is not dropped]
    assert votes(fewer) <= votes(found)
    order = list(Action)
    assert order.index(strongest(ROLLBACK, fewer)) <= order.index(strongest(ROLLBACK, found))
