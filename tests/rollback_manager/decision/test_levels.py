"""Labelled decisions become the levels of the calibration."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollback_manager.decision.calibration import calibrated
from rollback_manager.decision.engine import decide
from rollback_manager.decision.ledger import Entry, Label, Truth
from rollback_manager.decision.levels import (
    PARTS,
    PastAlarm,
    alarms_in,
    calibration,
    edges,
    levels,
)
from rollback_manager.incidents.triggers import TriggerKind
from tests.incidents import NOW, POLICY, analysis_facts, evidence, facts, incident

ERRORS, LATENCY = TriggerKind.CRITICAL_ERROR_RATE, TriggerKind.LATENCY_DEGRADATION


def alarm(number: int, nats: float, false: bool = False, service: str = "shop") -> PastAlarm:
    return PastAlarm(
        incident=f"incident/prod/{service}/v{number}",
        service=service,
        trigger=ERRORS,
        nats=nats,
        false=false,
    )


def record(*, truth: Truth = Truth.TRUE, **more: object) -> tuple[str, Label]:
    seen = (evidence(nats=12.0), evidence(LATENCY, 1.1, finding="fine so far", nats=3.0))
    known = facts(incident=incident(*seen))
    entry = Entry(
        analysed_from=analysis_facts(), facts=known, policy=POLICY, decision=decide(known, POLICY)
    )
    text = json.dumps({**json.loads(entry.model_dump_json()), **more})
    return text, Label(truth=truth, by="ann", at=NOW)


def test_what_fired_counts_and_what_did_not_does_not() -> None:
    (only,) = alarms_in(*record(truth=Truth.FALSE))
    assert only.incident == "incident/prod/shop/v2"
    assert (only.service, only.trigger, only.nats, only.false) == ("shop", ERRORS, 12.0, True)


def test_a_missed_or_late_one_was_a_bad_release() -> None:
    for truth in (Truth.TRUE, Truth.LATE, Truth.MISSED):
        assert [one.false for one in alarms_in(*record(truth=truth))] == [False]


def test_what_another_build_wrote_elsewhere_in_the_record_is_no_obstacle() -> None:
    text, label = record(decision={"action": "of a newer build"}, policy=None)
    assert len(alarms_in(text, label)) == 1


def test_levels_are_cut_where_they_hold_equally_many_and_enough() -> None:
    rising = [alarm(number, float(number)) for number in range(100)]
    assert edges(rising, fewest=20)[ERRORS] == (0.0, 20.0, 40.0, 60.0, 80.0)
    assert len(edges(rising, fewest=1)[ERRORS]) == PARTS
    assert edges(rising[:30], fewest=20)[ERRORS] == (0.0,)
    assert edges(rising[:39], fewest=20)[ERRORS] == (0.0,), "19 are no level of their own"
    often = [alarm(number // 10, float(number)) for number in range(100)]
    assert edges(often, fewest=20)[ERRORS] == (0.0,), "ten incidents, however often judged"
    assert edges([alarm(n, 0.0) for n in range(100)], fewest=20)[ERRORS] == (0.0,), "all the same"


def test_each_level_has_its_share_of_false_alarms() -> None:
    weak = [alarm(number, 4.0, false=number % 2 == 0) for number in range(40)]
    strong = [alarm(number, 12.0, false=number == 40) for number in range(40, 80)]
    past = calibration([*weak, *strong], "another", POLICY)
    assert [(one.nats_from, one.alarms, one.false) for one in past.fleet] == [
        (4.0, 40, 20),
        (12.0, 40, 1),
    ]
    # Laplace: 1 - (20 + 1) ÷ 42 and 1 - (1 + 1) ÷ 42
    assert calibrated(past, ERRORS, 5.0, POLICY).confidence == pytest.approx(0.5)
    assert calibrated(past, ERRORS, 13.0, POLICY).confidence == pytest.approx(1 - 2 / 42)


def test_below_all_evidence_that_was_ever_judged_nothing_is_known() -> None:
    past = calibration([alarm(number, 4.0) for number in range(40)], "shop", POLICY)
    assert calibrated(past, ERRORS, 3.9, POLICY).confidence is None


def test_a_service_and_the_others_are_cut_alike() -> None:
    own = [alarm(number, float(number), false=True) for number in range(50)]
    others = [alarm(number, 90.0 + number, service="cart") for number in range(50)]
    past = calibration([*own, *others], "shop", POLICY)
    cut = edges([*own, *others], POLICY.calibration_alarms)[ERRORS]
    assert {one.nats_from for one in (*past.service, *past.fleet)} <= set(cut)
    assert sum(one.alarms for one in past.service) == sum(one.false for one in past.service) == 50
    assert sum(one.false for one in past.fleet) == 0


def test_an_incident_counts_once_in_a_level_and_once_in_each_that_it_reached() -> None:
    judged = [alarm(1, 4.0), alarm(1, 4.5), alarm(1, 30.0)]
    found = levels(judged, {ERRORS: (0.0, 10.0)})
    assert [(one.nats_from, one.alarms) for one in found] == [(0.0, 1), (10.0, 1)]


@given(st.lists(st.tuples(st.floats(0, 50), st.booleans()), min_size=1, max_size=300))
def test_no_alarm_is_lost_or_made_up(found: list[tuple[float, bool]]) -> None:
    alarms = [alarm(n, nats, false) for n, (nats, false) in enumerate(found)]
    past = calibration(alarms, "shop", POLICY)
    assert sum(one.alarms for one in past.service) == len(alarms)
    assert sum(one.false for one in past.service) == sum(false for _, false in found)
    assert past.fleet == ()
