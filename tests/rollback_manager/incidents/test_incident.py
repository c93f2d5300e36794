"""One incident per release: its order, and alarms that join it."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollback_manager.errors import PermanentError
from rollback_manager.incidents.incident import (
    Incident,
    Resolution,
    Status,
    automation_of,
    burning,
    fired_by,
    join,
    may_follow,
    moved,
    severity_of,
)
from rollback_manager.incidents.triggers import (
    Automation,
    Evidence,
    Finding,
    Severity,
    Source,
    TriggerKind,
)
from rollback_manager.policy import TriggerLimits
from tests.incidents import after, evidence, incident

FINE = evidence(finding=Finding.FINE, fired_at=after(500), size=0.01, words="v2 is as v1")


def test_the_words_are_the_seeds() -> None:
    assert " ".join(Status) == (
        "detected analyzed decision_made planned executed resolved verification_failed"
        " fix_forward_initiated monitoring analysis_complete error"
    )
    assert " ".join(Resolution) == (
        "rollback_successful rollback_verification_failed fixing_forward monitoring_continue"
        " error_during_handling"
    )


@pytest.mark.parametrize(
    ("way", "resolution"),
    [
        ("analyzed decision_made planned executed resolved", "rollback_successful"),
        (
            "analyzed decision_made planned executed verification_failed",
            "rollback_verification_failed",
        ),
        ("analyzed decision_made fix_forward_initiated", "fixing_forward"),
        ("analyzed decision_made monitoring", "monitoring_continue"),
        ("analyzed error", "error_during_handling"),
        ("analyzed decision_made planned decision_made monitoring", "monitoring_continue"),
        (
            "analyzed decision_made planned executed verification_failed planned executed resolved",
            "rollback_successful",
        ),
    ],
)
def test_each_way_through_ends_in_its_resolution(way: str, resolution: str) -> None:
    one = incident()
    for status in (*way.split(), "analysis_complete"):
        one = moved(one, Status(status))
    assert (one.status, one.resolution) == ("analysis_complete", resolution)


@pytest.mark.parametrize(
    ("status", "then"),
    [
        (Status.DETECTED, Status.DECISION_MADE),
        (Status.DECISION_MADE, Status.EXECUTED),
        (Status.DECISION_MADE, Status.ANALYSIS_COMPLETE),  # people have not answered yet
        (Status.RESOLVED, Status.PLANNED),
        (Status.ANALYSIS_COMPLETE, Status.ERROR),
    ],
)
def test_nothing_happens_out_of_order(status: Status, then: Status) -> None:
    one = incident().model_copy(update={"status": status})
    with pytest.raises(PermanentError, match=f"{then} cannot follow"):
        moved(one, then)


@pytest.mark.parametrize("status", [one for one in Status if one is not Status.ANALYSIS_COMPLETE])
def test_everywhere_but_at_the_end_there_is_a_way_to_the_end(status: Status) -> None:
    reached, new = {status}, {status}
    while new:
        new = {then for one in new for then in may_follow(one)} - reached
        reached |= new
    assert Status.ANALYSIS_COMPLETE in reached
    assert Status.ERROR in may_follow(status)


def test_500_alarms_are_one_incident_of_one_line() -> None:
    one = incident(*(evidence(fired_at=after(400 + n / 50)) for n in range(500)))
    assert one.id == "incident/prod/shop/v2"
    assert (len(one.joined), one.alarms) == (1, 500)
    assert one.joined[0].first_alarm_at == after(400)
    assert one.joined[0].newest.fired_at == after(400) + timedelta(seconds=499 / 50)


def test_alarms_out_of_order_keep_the_first_and_the_newest() -> None:
    one = incident(evidence(fired_at=after(450)), evidence(fired_at=after(410)))
    assert one.joined[0].first_alarm_at == after(410)
    assert one.joined[0].newest.fired_at == after(450)


def test_each_trigger_and_each_source_keeps_its_own_line() -> None:
    told = evidence(source=Source.CLIENT, nats=0.0)
    slow = evidence(TriggerKind.LATENCY_DEGRADATION, 2.5)
    assert len(incident(evidence(), told, slow).joined) == 3


def test_the_strongest_evidence_is_kept_when_weaker_comes_later() -> None:
    one = incident(evidence(nats=9.0), evidence(nats=7.0, fired_at=after(460)))
    assert (one.joined[0].strongest.nats, one.joined[0].newest.nats) == (9.0, 7.0)


def test_a_recovery_is_seen_and_the_alarm_still_counts_as_fired() -> None:
    one = incident(evidence(), FINE)
    assert not burning(one)
    assert burning(incident())
    assert [found.severity for found in fired_by(one, TriggerLimits())] == [Severity.CRITICAL]
    assert one.alarms == 1


def test_what_was_fine_first_counts_from_its_first_alarm() -> None:
    early = FINE.model_copy(update={"fired_at": after(10)})
    one = incident(early, evidence())
    assert one.joined[0].first_alarm_at == after(400)


findings = st.builds(
    evidence,
    trigger=st.sampled_from(TriggerKind),
    finding=st.sampled_from(Finding),
    source=st.sampled_from(Source),
    nats=st.floats(0, 50),
    fired_at=st.integers(0, 1000).map(after),
)


@given(st.sampled_from(Status), st.lists(findings, max_size=30))
def test_no_evidence_whatever_moves_an_incident(status: Status, told: list[Evidence]) -> None:
    one: Incident = incident().model_copy(update={"status": status})
    for piece in told:
        one = join(one, piece)
    assert (one.status, one.resolution) == (status, None)
    assert len(one.joined) <= len(TriggerKind) * len(Source)


@given(st.permutations([evidence(nats=float(n), fired_at=after(n)) for n in range(5)]))
def test_the_order_of_arrival_does_not_matter(told: list[Evidence]) -> None:
    assert incident(*told).joined == incident(*sorted(told, key=lambda e: e.fired_at)).joined


def test_several_triggers_are_as_severe_as_the_worst_and_as_automatic_as_the_best() -> None:
    slow = evidence(TriggerKind.LATENCY_DEGRADATION, 2.5)
    broken = evidence(TriggerKind.FEATURE_REGRESSION, None)
    found = fired_by(incident(broken, slow, evidence()), TriggerLimits())
    assert severity_of(found) is Severity.CRITICAL
    assert automation_of(found) is Automation.FULL
    assert [one.severity for one in found] == ["critical", "high", "medium"]
    assert severity_of(()) is None
    assert automation_of(()) is None


def test_no_test_takes_back_what_another_one_of_the_same_trigger_said() -> None:
    well: dict[str, Any] = {"finding": Finding.FINE, "fired_at": after(500)}
    one = incident(evidence(test="error_ratio"), evidence(test="theirs"))
    one = join(join(one, evidence(test="theirs", **well)), evidence(**well))
    assert burning(one), "error_ratio has not said that it is over"
    assert not burning(join(one, evidence(test="error_ratio", **well)))
