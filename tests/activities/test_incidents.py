"""Alarms become one decision, with everything it was made from."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.incidents import AlarmsOf, IncidentActivities, Judged
from activities.integrations.sql import SqlRecords, engine_for, upgrade
from activities.past import Past
from proof.stand_ins import StandInService
from rollback_manager.decision.calibration import CalibrationReport
from rollback_manager.decision.engine import decide
from rollback_manager.decision.facts import Action
from rollback_manager.decision.ledger import Entry, Label, Truth
from rollback_manager.decision.model import DecisionModel
from rollback_manager.decision.rules import Method
from rollback_manager.errors import Unreachable
from rollback_manager.incidents.alarms import Alarm, Refusal, Sighting, collected
from rollback_manager.incidents.incident import Incident, join
from rollback_manager.incidents.triggers import Evidence, Finding, Source, TriggerKind
from rollback_manager.metrics.reading import Reading
from rollback_manager.release import Standing
from tests import rig
from tests.incidents import POLICY, analysis_facts, evidence, facts, incident
from tests.traces import trace

NOW = datetime.now(UTC)
NEW, OLD = (
    Reading(
        version=version,
        requests=1000,
        errors=errors,
        latency_p95_ms=10,
        window_s=20,
        taken_at=NOW,
    )
    for version, errors in (("v2", 300), ("v1", 10))
)
SEEN = Sighting(new=NEW, old=OLD, traffic_share=0.5, onset_at=NOW, worse_than_old="v2 is")


def alarm(seen: Sighting = SEEN, **more: object) -> Alarm:
    words = {
        "trigger": TriggerKind.CRITICAL_ERROR_RATE,
        "finding": Finding.REGRESSED,
        "words": "v2 is worse",
        "source": Source.DETECTOR,
        "fired_at": datetime.now(UTC),
        "size": 0.3,
        "nats": 12.0,
    }
    said = Evidence.model_validate({**words, **more})
    return Alarm(env="test", service="shop", version="v2", evidence=said, seen=seen)


Judge = Callable[..., Judged]


@pytest.fixture
def world() -> StandInService:
    return StandInService(shares_now={"v1": 50, "v2": 50}, running={"v1": 3, "v2": 3})


@pytest.fixture
def records(tmp_path: Path) -> SqlRecords:
    engine = engine_for(f"sqlite:///{tmp_path / 'records.sqlite'}")
    upgrade(engine)
    known = SqlRecords(engine)
    known.save_release("test", "shop", rig.release("v1", Standing.VERIFIED, 60))
    out = {"recorded_at": NOW - timedelta(minutes=5)}  # of this file's clock, as the trouble is
    new = rig.release("v2", Standing.CANDIDATE, 5).model_copy(update=out)
    known.save_release("test", "shop", new)
    return known


@pytest.fixture
def judge(world: StandInService, records: SqlRecords) -> Judge:
    catalogue = rig.catalogue("shop", {}, decisions={"tier_up_without_evidence": False})
    past = Past(records, records)
    targets = lambda _e, _s: world.target()  # noqa: E731
    activities = IncidentActivities(catalogue, records, records, past, targets)

    def asked(
        *alarms: Alarm, before: Judged | None = None, version: str = "v2", number: int = 0
    ) -> Judged:
        new = Incident(env="test", service="shop", version=version, detected_at=NOW)
        ask = AlarmsOf(
            incident=before.incident if before else new,
            alarms=alarms,
            seen=before.seen if before else Sighting(),
            number=number,
        )
        return ActivityEnvironment().run(activities.judge_incident, ask)

    return asked


def test_a_regression_is_rolled_back_and_the_decision_is_kept(
    judge: Judge, records: SqlRecords
) -> None:
    judged = judge(alarm())
    assert judged.decision is not None
    assert judged.decision.action is Action.ROLLBACK
    assert judged.decision.target_version == "v1"
    assert [one.decision for one in records.decisions("test")] == [judged.decision]


def test_a_judgement_that_is_tried_again_is_one_in_the_ledger(
    judge: Judge, records: SqlRecords
) -> None:
    """Its first answer was lost; meanwhile one more alarm came."""
    judge(alarm(), number=1)
    told = judge(alarm(), alarm(trigger=TriggerKind.LATENCY_DEGRADATION), number=1)
    assert [one.decision for one in records.decisions("test")] == [told.decision]
    judge(alarm(), before=told, number=2)
    assert len(records.decisions("test")) == 2


def labelled(records: SqlRecords, service: str, nats: float, false: range) -> None:
    """Forty incidents of that service which were judged before, those in `false` wrongly."""
    for number in range(40):
        seen = join(
            incident().model_copy(
                update={"env": "test", "service": service, "version": f"v{number}", "joined": ()}
            ),
            evidence(nats=nats),
        )
        known = facts(incident=seen)
        made = decide(known, POLICY)
        entry = Entry(analysed_from=analysis_facts(), facts=known, policy=POLICY, decision=made)
        records.keep_decision("test", service, entry)
        truth = Truth.FALSE if number in false else Truth.TRUE
        records.label_decision("test", seen.id, Label(truth=truth, by="ann", at=NOW))


def test_the_confidence_is_measured_on_the_labelled_past(judge: Judge, records: SqlRecords) -> None:
    labelled(records, "cart", 11.0, false=range(1))
    made = judge(alarm()).decision
    assert made is not None
    assert made.confidence == pytest.approx(1 - 2 / 42)  # Laplace: 1 of 40
    assert (made.calibrated, made.signs) == (True, 0.95)
    assert "0 of 0 own and 1 of 40 other alarms at 12.0 nats were false" in made.reasons
    assert made.action is Action.ROLLBACK


def test_alarms_that_were_often_false_leave_the_next_one_to_people(
    judge: Judge, records: SqlRecords
) -> None:
    labelled(records, "shop", 11.0, false=range(20))
    made = judge(alarm()).decision
    assert made is not None
    assert made.action is Action.MANUAL_REVIEW
    assert made.factors.historical_patterns.false_alarms == 20


def test_a_past_that_cannot_be_read_is_no_failure_and_no_reason_to_roll_back(
    judge: Judge, records: SqlRecords, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(env: str, most: int) -> Any:
        raise Unreachable("the records do not answer")

    monkeypatch.setattr(records, "past_alarms", away)
    made = judge(alarm()).decision
    assert made is not None
    assert (made.calibrated, made.votes_needed) == (False, 1), "it might have forbidden it"
    assert any("past decisions cannot be read" in reason for reason in made.reasons)


def test_a_model_is_asked_where_the_rules_are_not_sure_if_one_is_in_use(
    judge: Judge, records: SqlRecords
) -> None:
    """The trouble is not the release's by its timing or its looks: the rules come to 0.3."""
    vague = SEEN.model_copy(update={"new": None, "old": None, "onset_at": None,
                                    "worse_than_old": ""})  # fmt: skip
    made = judge(alarm(vague)).decision
    assert made is not None
    assert made.method is Method.MANUAL_REQUIRED
    assert any("the model: not trained: none is in use" in reason for reason in made.reasons)


def test_a_kept_model_is_asked(judge: Judge, records: SqlRecords) -> None:
    table = CalibrationReport(bins=(), expected_error=0.04, count=60)
    model = DecisionModel(intercept=3.0, coefficients=(), labels=60, bad=40, report=table)
    records.keep_model("test", model)
    vague = SEEN.model_copy(update={"new": None, "old": None, "onset_at": None,
                                    "worse_than_old": ""})  # fmt: skip
    made = judge(alarm(vague)).decision
    assert made is not None
    assert (made.method, made.proposed) == (Method.ML_BASED, Action.ROLLBACK)
    assert any("version 1, 60 labels" in reason for reason in made.reasons)
    assert made.action is Action.MANUAL_REVIEW, "nothing says that it is the release: a cap"


def test_a_report_without_numbers_takes_none_away(judge: Judge) -> None:
    """It came last, and what the detector saw is still what the analysis rests on."""
    report = alarm(
        Sighting(), trigger=TriggerKind.PERFORMANCE_REGRESSION, source=Source.CLIENT, nats=0
    )
    judged = judge(alarm(), report)
    assert judged.seen == SEEN
    again = judge(report, before=judged)
    assert again.decision is not None
    assert again.decision.action is Action.ROLLBACK


def test_a_storm_counts_as_many_alarms_as_came(judge: Judge) -> None:
    folded: tuple[Alarm, ...] = ()
    for _ in range(500):
        folded = collected(folded, alarm())
    assert len(folded) == 1
    assert judge(*folded).incident.alarms == 500


def test_alarms_that_are_all_refused_decide_nothing_again(judge: Judge) -> None:
    before = judge(alarm())
    stale = alarm(fired_at=datetime.now(UTC) - timedelta(hours=1))
    judged = judge(stale, before=before)
    assert [one.refusal for one in judged.refused] == [Refusal.STALE]
    assert judged.decision is None
    assert judged.incident == before.incident


def test_an_incident_is_over_when_its_release_has_no_traffic(
    judge: Judge, world: StandInService
) -> None:
    before = judge(alarm())
    assert not judge(before=before).over
    world.shares_now = {"v1": 100}
    assert judge(before=before).over == "v2 has no traffic any more"
    late = judge(alarm(), before=before)
    assert late.over
    assert late.decision is None, "nothing is rolled back twice"


def test_an_unknown_release_is_refused(judge: Judge) -> None:
    judged = judge(alarm(), version="v9")
    assert [one.refusal for one in judged.refused] == [Refusal.UNKNOWN_RELEASE]
    assert judged.decision is None


def test_trouble_of_both_that_comes_after_the_alarm_holds_the_rollback(judge: Judge) -> None:
    before = judge(alarm())
    both = Sighting(new=NEW, old=OLD, common_mode="v1 is hit as well")
    held = alarm(both, finding=Finding.CANNOT_TELL, words="v1 is hit as well")
    judged = judge(held, before=before)
    assert judged.seen.onset_at == NOW
    assert judged.decision is not None
    assert judged.decision.action is Action.MONITOR


def test_a_recovery_alone_is_no_incident(judge: Judge) -> None:
    judged = judge(alarm(finding=Finding.FINE))
    assert judged.decision is None
    assert judged.incident.alarms == 0


def test_the_trace_is_of_the_alarm_that_lit_it_and_not_of_those_that_repeat_it(
    judge: Judge,
) -> None:
    first, later = trace(NOW), trace(NOW + timedelta(seconds=15), 3.0, 3.0)
    report = alarm(Sighting(), source=Source.CLIENT, nats=0)
    judged = judge(alarm(SEEN.model_copy(update={"trace": first})))
    again = judge(alarm(SEEN.model_copy(update={"trace": later})), report, before=judged)
    assert again.seen.trace == first


def test_trouble_that_comes_back_has_a_trace_of_its_own(judge: Judge) -> None:
    first, later = trace(NOW), trace(NOW + timedelta(seconds=60))
    judged = judge(alarm(SEEN.model_copy(update={"trace": first})))
    well = judge(alarm(Sighting(), finding=Finding.FINE), before=judged)
    assert well.seen.trace == first, "it is over, and what was seen stays"
    again = judge(alarm(SEEN.model_copy(update={"trace": later})), before=well)
    assert again.seen.trace == later


def test_a_report_of_people_is_joined_by_the_trace_of_the_first_test_that_speaks(
    judge: Judge,
) -> None:
    report = alarm(Sighting(), source=Source.CLIENT, nats=0)
    first = trace(NOW)
    judged = judge(alarm(SEEN.model_copy(update={"trace": first})), before=judge(report))
    assert judged.seen.trace == first


def test_the_ledger_keeps_no_trace(judge: Judge, records: SqlRecords) -> None:
    judge(alarm(SEEN.model_copy(update={"trace": trace(NOW)})))
    (kept,) = records.decisions("test")
    assert "ago_s" not in kept.model_dump_json()


UNKNOWN: dict[str, object] = {
    "trigger": TriggerKind.PERFORMANCE_REGRESSION,
    "finding": Finding.CANNOT_TELL,
    "words": "nothing is known of it for 120 s: it answers nothing",
    "size": None,
    "nats": 0.0,
}


def test_what_nothing_is_known_of_is_a_persons_decision_and_never_a_rollback(judge: Judge) -> None:
    judged = judge(alarm(Sighting(traffic_share=0.5), **UNKNOWN))
    assert judged.decision is not None
    assert judged.decision.action is Action.MANUAL_REVIEW
    assert "nothing is known of it" in " ".join(judged.decision.reasons)
    assert not any("any more" in reason for reason in judged.decision.reasons)


def test_what_is_heard_of_again_is_only_watched(judge: Judge) -> None:
    before = judge(alarm(Sighting(traffic_share=0.5), **UNKNOWN))
    judged = judge(alarm(SEEN, **{**UNKNOWN, "finding": Finding.FINE}), before=before)
    assert judged.decision is not None
    assert judged.decision.action is Action.MONITOR


def test_what_is_known_to_be_bad_is_not_hidden_by_what_is_unknown(judge: Judge) -> None:
    before = judge(alarm(trigger=TriggerKind.HEALTH_CHECK_FAILURE, size=0.5, nats=0.0))
    judged = judge(alarm(Sighting(traffic_share=0.5), **UNKNOWN), before=before)
    assert judged.decision is not None
    assert judged.decision.action is Action.ROLLBACK
