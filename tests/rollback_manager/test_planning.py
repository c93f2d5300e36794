"""Planning: from what is found to what will be done, or to why nothing can be."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollback_manager.contract import RollbackRequest
from rollback_manager.errors import Blocked
from rollback_manager.gates import GateAnswer
from rollback_manager.metrics.reading import Counts, NoReading, Reading, Snapshot, Total
from rollback_manager.moves import Moves
from rollback_manager.plan import RollbackPlan, ServicePlan
from rollback_manager.planning.facts import Past, PlanningFacts, bad_version
from rollback_manager.planning.foreseen import estimate, found, gates_before, since_release
from rollback_manager.planning.service import plan_service
from rollback_manager.planning.whole import assemble
from rollback_manager.policy import ApprovalPolicy, Policy
from rollback_manager.release import Baseline, Release, RestorePoint, Standing
from rollback_manager.strategies import strategy_named

NOW = datetime(2026, 3, 1, 14, 0, tzinfo=UTC)
REQUEST = RollbackRequest(env="demo", services=("shop",), key="inc-1", requested_by="a")
BASELINE = Baseline(
    requests=6000,
    error_ratio=0.001,
    latency_p95_ms=9,
    requests_per_s=80,
    window_s=75,
    taken_at=NOW,
)


def release(version: str, standing: Standing, minutes_ago: float, **more: Any) -> Release:
    return Release(
        version=version,
        digest=more.pop("digest", f"sha256:{version}"),
        recorded_at=NOW - timedelta(minutes=minutes_ago),
        recorded_by="ci",
        standing=standing,
        **more,
    )


def facts(**changes: Any) -> PlanningFacts:
    seen: dict[str, Any] = {
        "service": "shop",
        "strategy": strategy_named("blue_green"),
        "policy": Policy(),
        "releases": (
            release("v1", Standing.VERIFIED, 600, baseline=BASELINE, because="0 of 6000 failed"),
            release("v2", Standing.CANDIDATE, 10),
        ),
        "shares": {"v2": 100},
        "running": {"v1": 2, "v2": 4},
        "ready": {"v1": 2, "v2": 4},
        "digests": {"v1": "sha256:v1", "v2": "sha256:v2"},
        "snapshot": Snapshot(
            taken_at=NOW,
            versions={
                "v1": Counts(requests=9, errors=0, in_flight=0, serving=2),
                "v2": Counts(requests=4800, errors=528, in_flight=1, serving=4),
            },
        ),
        "past": (),
        "now": NOW,
    }
    return PlanningFacts(**(seen | changes))


def past(seconds: float, *, verified: bool = True, days_ago: float = 1) -> Past:
    return Past(
        verified=verified,
        traffic_back_s=seconds,
        verified_s=seconds * 10,
        finished_at=NOW - timedelta(days=days_ago),
    )


def whole(given_facts: PlanningFacts) -> RollbackPlan:
    service = plan_service(given_facts, None)
    return assemble(REQUEST, "local", ((given_facts, service, found(given_facts, ())),), NOW)


def test_the_plan_goes_from_what_has_the_traffic_to_what_is_known_good() -> None:
    plan = plan_service(facts(), None)
    assert (plan.from_version, plan.from_digest) == ("v2", "sha256:v2")
    assert (plan.to_version, plan.to_digest) == ("v1", "sha256:v1")
    assert plan.baseline == BASELINE
    assert plan.target_because.endswith("verified because 0 of 6000 failed")
    assert plan.not_undone == ("data that the bad version wrote stays",)


def test_a_target_without_evidence_says_so() -> None:
    bare = facts(releases=(release("v1", Standing.VERIFIED, 600),))
    assert plan_service(bare, None).target_because.endswith("no evidence was kept")


@pytest.mark.parametrize(
    ("running", "at_release", "desired", "floor"),
    [
        ({"v2": 4}, 2, 4, 3),
        ({"v2": 2}, 6, 6, 4),
        ({"v2": 4}, None, 4, 3),
        ({}, None, 1, 1),
        ({}, 0, 1, 1),  # recorded while nothing ran: even then one instance must carry users
    ],
)
def test_the_good_side_must_carry_the_larger_of_then_and_now(
    running: dict[str, int], at_release: int | None, desired: int, floor: int
) -> None:
    point = None
    if at_release is not None:
        point = RestorePoint(digest="d", instances=at_release, shares={"v1": 100}, taken_at=NOW)
    good = release("v1", Standing.VERIFIED, 600, restore_point=point)
    plan = plan_service(facts(running=running, releases=(good,)), None)
    assert (plan.desired, plan.floor) == (desired, floor)


@pytest.mark.parametrize("shares", [{"v2": 100}, {"v1": 90, "v2": 10}, {"v1": 50, "v2": 50}])
def test_where_several_have_traffic_the_one_that_is_not_verified_is_bad(
    shares: dict[str, int],
) -> None:
    good = release("v1", Standing.VERIFIED, 600)
    assert bad_version(facts(shares=shares, releases=(good,))) == "v2"


def test_a_split_that_does_not_say_who_is_bad_is_refused() -> None:
    both = tuple(release(version, Standing.VERIFIED, 600) for version in ("v1", "v2"))
    with pytest.raises(Blocked, match="which release is bad"):
        bad_version(facts(shares={"v1": 10, "v2": 90}, releases=both))


def test_a_verified_release_with_the_digest_of_the_bad_one_is_no_target() -> None:
    same = release("v1", Standing.VERIFIED, 600, digest="sha256:v2")
    with pytest.raises(Blocked, match="no verified release"):
        plan_service(facts(releases=(same,)), None)


def test_without_traffic_there_is_nothing_to_roll_back() -> None:
    with pytest.raises(Blocked, match="gets no traffic at all"):
        plan_service(facts(shares={}), None)


def test_a_target_that_is_not_defined_is_refused() -> None:
    with pytest.raises(Blocked, match="it is not defined where shop runs"):
        plan_service(facts(digests={"v2": "sha256:v2"}), None)


def test_a_target_that_is_not_what_was_verified_is_refused() -> None:
    with pytest.raises(Blocked, match="v1 is not what was verified: sha256:other is defined now"):
        plan_service(facts(digests={"v1": "sha256:other"}), None)


def test_a_digest_of_the_bad_version_may_be_unknown() -> None:
    assert plan_service(facts(digests={"v1": "sha256:v1"}), None).from_digest == "unknown"


def test_a_wanted_version_is_judged_like_any_other() -> None:
    assert plan_service(facts(), "v1").target_because.startswith("asked for by name")
    with pytest.raises(Blocked):
        plan_service(facts(), "v2")


def test_what_was_seen_says_where_the_window_of_the_traffic_begins() -> None:
    seen = found(facts(), ("sh",))
    assert seen.counted == Total(requests=4809, at=NOW)
    assert seen.by_hand == ("sh",)
    assert isinstance(seen.bad_reading, Reading)
    assert seen.bad_reading.errors == 528


@pytest.mark.parametrize("version", ["v3", "v0"])
def test_a_version_that_answered_nothing_has_no_reading(version: str) -> None:
    idle = Counts(requests=0, errors=0, in_flight=0, serving=1)
    seen = facts(snapshot=Snapshot(taken_at=NOW, versions={"v0": idle}))
    assert isinstance(since_release(seen, version), NoReading)


def test_a_version_that_nobody_recorded_has_no_window() -> None:
    reading = since_release(facts(releases=()), "v2")
    assert isinstance(reading, Reading)
    assert reading.window_s == 0


def test_three_verified_runs_make_an_estimate() -> None:
    runs = (past(10), past(20), past(30), past(999, verified=False))
    made = estimate(facts(past=runs))
    assert (made.traffic_back_s, made.verified_s) == (25, 250)
    assert made.source == "p75 of 3 runs"


@pytest.mark.parametrize(
    "runs",
    [
        (),
        (past(1), past(2)),
        (past(1), past(2), past(3, verified=False)),
        (past(1), past(2), past(3).model_copy(update={"verified_s": None})),
        (past(1), past(2), past(3).model_copy(update={"traffic_back_s": None})),
    ],
)
def test_fewer_runs_make_an_upper_bound_that_says_so(runs: tuple[Past, ...]) -> None:
    made = estimate(facts(past=runs))
    assert (made.traffic_back_s, made.verified_s) == (60, 660)
    assert made.source.startswith("upper bounds of blue_green")


@given(st.lists(st.floats(0, 1e4), min_size=3, max_size=30))
def test_an_estimate_lies_within_what_was_seen(seconds: list[float]) -> None:
    made = estimate(facts(past=tuple(map(past, seconds))))
    assert min(seconds) - 1e-6 <= made.traffic_back_s <= max(seconds) + 1e-6


def test_the_gates_rest_on_the_newest_verified_run() -> None:
    runs = (past(1, days_ago=40), past(1, days_ago=3), past(1, days_ago=1, verified=False))
    seen = facts(past=runs)
    gates = gates_before(seen, plan_service(seen, None), REQUEST, "local")
    rehearsed = next(gate for gate in gates if gate.gate == "rollback_procedure_tested")
    assert rehearsed.answer is GateAnswer.PASSED
    assert rehearsed.because == "last carried out 3 d ago (limit 30 d)"


def test_the_whole_plan_says_what_stops_it_and_what_completes_it() -> None:
    policy = Policy(approval=ApprovalPolicy(required=False), time_limit_s=600, plan_valid_s=60)
    plan = whole(facts(policy=policy))
    assert plan.waves == (("shop",),)
    assert (plan.approval, plan.time_limit_s, plan.plan_valid_s) == (policy.approval, 600, 60)
    assert plan.abort_when[0] == "ready would fall below 3"
    assert plan.done_when == (
        "measured share of v1 ≥ 99%",
        "all checks passed over ≥ 60 s",
    )
    assert len(plan.gates) == 5
    assert plan.made_at == NOW


def test_a_missing_baseline_is_a_risk_that_is_named() -> None:
    bare = facts(releases=(release("v1", Standing.VERIFIED, 600),))
    risks = [risk.risk for risk in whole(bare).risks]
    assert risks[-1] == "no baseline of v1 is recorded: latency cannot be judged"
    assert len(whole(facts()).risks) == len(risks) - 1


def test_two_looks_at_the_same_world_give_the_same_digest() -> None:
    later = facts(
        now=NOW + timedelta(minutes=2),
        ready={"v1": 2, "v2": 3},
        past=(past(1), past(2), past(3)),
        snapshot=Snapshot(
            taken_at=NOW, versions={"v2": Counts(requests=9, errors=9, in_flight=9, serving=3)}
        ),
    )
    assert whole(facts()).digest == whole(later).digest


@pytest.mark.parametrize(
    "drift",
    [
        {"running": {"v1": 2, "v2": 5}},
        {"shares": {"v1": 10, "v2": 90}},
        {"digests": {"v1": "sha256:v1", "v2": "sha256:rebuilt"}},
        {"policy": Policy(floor_fraction=1.0)},
        {"releases": (release("v1", Standing.VERIFIED, 600, because="other evidence"),)},
    ],
    ids=lambda drift: next(iter(drift)),
)
def test_a_drift_of_what_the_plan_rests_on_makes_it_stale(drift: dict[str, Any]) -> None:
    assert whole(facts(**drift)).digest != whole(facts()).digest


def test_the_agreed_floor_is_the_one_that_is_guarded() -> None:
    plan: ServicePlan = plan_service(facts(policy=Policy(floor_fraction=1.0)), None)
    assert plan.floor == plan.desired == 4


def test_a_version_that_never_got_ready_is_the_one_to_undo() -> None:
    """Its one controller brings it up, and all requests still go to the old version."""
    in_place = {"moves": Moves.CONTROLLER, "strategy": strategy_named("rolling_update")}
    stuck = facts(**in_place, shares={"v1": 100}, current="v2")
    assert bad_version(stuck) == "v2"
    assert plan_service(stuck, None).to_version == "v1"


def test_a_verified_version_that_comes_up_again_is_not_the_one_to_undo() -> None:
    """As an aborted rollback leaves it."""
    assert bad_version(facts(moves=Moves.CONTROLLER, shares={"v2": 100}, current="v1")) == "v2"
