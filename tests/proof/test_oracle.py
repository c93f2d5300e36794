"""The oracle of the kill matrix can fail: each kind of harm, put into a good account, is seen."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from demo.load import Summary
from proof.kill_matrix.account import Account, End, Happened
from proof.kill_matrix.oracle import RATE, violations
from proof.kill_matrix.points import Fault, Moment, Point
from proof.kill_matrix.run import was_struck
from proof.kill_matrix.witnesses import Seen, Written
from rollback_manager.plan import ActionKind
from rollback_manager.progress import (
    EndState,
    Found,
    Result,
    RollbackOutcome,
    ServiceOutcome,
    StepRecord,
    StepState,
)

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
SECONDS = 10.0
OP_ID = "0123456789abcdef"
ALL_ON_V1 = {"shop-v1": 100}
HALF = {"shop-v1": 50, "shop-v2": 50}
STEPS = ("prepare", "redirect_traffic", "drain", "verify", "clean_up")


def at(second: float) -> datetime:
    return BEGIN + timedelta(seconds=second)


def written(step: int, weights: dict[str, int], *, epoch: int = 1) -> Written:
    return Written(at(3), 1, f"{epoch}.{step}.{OP_ID[:-1]}{step}", weights)


def seen(second: float, weights: dict[str, int], v1: int = 4, v2: int = 4) -> Seen:
    asked = {"shop-v1": int(100 * second), "shop-v2": 500}
    return Seen(at(second), weights, {"shop-v1": v1, "shop-v2": v2}, asked)


def step(kind: str) -> StepRecord:
    return StepRecord(
        kind=ActionKind(kind),
        state=StepState.DONE,
        before="",
        written="",
        observed="",
        started_at=BEGIN,
        finished_at=BEGIN,
    )


def outcome(end: EndState = EndState.ROLLED_BACK, ready: int = 4) -> RollbackOutcome:
    found = Found(shares={"v1": 100}, ready={"v1": ready, "v2": 0})
    service = ServiceOutcome(
        service="shop",
        end=end,
        verified=True,
        because="",
        found=found,
        steps=tuple(map(step, STEPS)),
    )
    return RollbackOutcome(
        rollback="rollback/test/k",
        result=Result.VERIFIED,
        because="",
        effect="",
        services=(service,),
    )


def users(by_us: int = 0, total: int = int(RATE * SECONDS)) -> Summary:
    return Summary(
        total=total, count={}, failed={}, by_us=by_us, unsent=0, latency_p95_ms=5, seconds=()
    )


def good() -> Account:
    before = tuple(seen(s / 10, {"shop-v2": 100}) for s in range(30))
    after = tuple(seen(s / 10, ALL_ON_V1) for s in range(30, 100))
    return Account(
        strategy="blue_green",
        outcome=outcome(),
        history=tuple(
            Happened(at(n + 2), kind, name, 1)
            for n, name in enumerate(STEPS)
            for kind in ("activity_task_scheduled", "activity_task_completed")
        ),
        written=(written(1, ALL_ON_V1),),
        marks=(f"1.0.{OP_ID}", f"1.4.{OP_ID}"),
        processes=(("spawned", "v1.3"), ("ended", "v2.0")),
        users=users(),
        seen=(*before, *after),
        end=End(shares={"v1": 100}, ready={"v1": 4, "v2": 0}),
        standing="bad",
        started_runs=1,
        lost=0,
        seconds=SECONDS,
    )


def test_nothing_is_found_in_a_good_account() -> None:
    assert violations(good(), good()) == []


Doctor = Callable[[Account], Account]
HARM: dict[str, tuple[str, Doctor]] = {
    "a shift written twice": ("I1", lambda a: replace(a, written=a.written * 2)),
    "a shift that had an effect twice": (
        "I1",
        lambda a: replace(a, written=(*a.written, written(1, HALF), *a.written)),
    ),
    "an instance started twice": (
        "I1",
        lambda a: replace(a, processes=(*a.processes, ("spawned", "v1.3"))),
    ),
    "an instance of the bad version started": (
        "I1",
        lambda a: replace(a, processes=(*a.processes, ("spawned", "v2.0"))),
    ),
    "an instance of the good version stopped": (
        "I1",
        lambda a: replace(a, processes=(*a.processes, ("ended", "v1.0"))),
    ),
    "users failed by nobody's version": ("I2", lambda a: replace(a, users=users(by_us=1))),
    "two ready instances with all of the traffic": (
        "I2",
        lambda a: replace(a, seen=(*a.seen, seen(9, ALL_ON_V1, v1=2))),
    ),
    "half of the traffic on one of four": (
        "I2",
        lambda a: replace(a, seen=(*a.seen, seen(9, HALF, v1=1, v2=4))),
    ),
    "a split of 90 %": (
        "I3",
        lambda a: replace(a, written=(written(1, {"shop-v1": 90}), written(2, ALL_ON_V1))),
    ),
    "drain before the shift": (
        "I3",
        lambda a: replace(a, history=tuple(replace(h, at=at(1)) for h in a.history)),
    ),
    "a world that is half-shifted": (
        "I3",
        lambda a: replace(a, end=End({"v1": 50, "v2": 50}, {"v1": 4, "v2": 4})),
    ),
    "declared mixed": ("I3", lambda a: replace(a, outcome=outcome(EndState.MIXED))),
    "declared with one instance more than there is": (
        "I3",
        lambda a: replace(a, outcome=outcome(ready=5)),
    ),
    "a late write of an earlier step": (
        "I6",
        lambda a: replace(a, written=(written(3, HALF), written(1, ALL_ON_V1))),
    ),
    "a late write to supervisord": ("I6", lambda a: replace(a, marks=a.marks[::-1])),
    "two epochs": (
        "I6",
        lambda a: replace(a, written=(*a.written, written(2, HALF, epoch=2))),
    ),
    "a write of nobody": ("I6", lambda a: replace(a, marks=("by hand",))),
    "one start, two rollbacks": ("I10", lambda a: replace(a, started_runs=2)),
    "a release that is not called bad": ("I10", lambda a: replace(a, standing="candidate")),
    "a step that nobody tells of": (
        "I10",
        lambda a: replace(
            a, history=(*a.history, Happened(at(9), "activity_task_completed", "stop_batch", 1))
        ),
    ),
    "a prober that slept": ("M", lambda a: replace(a, users=users(total=10))),
    "a witness that looked too rarely": ("M", lambda a: replace(a, seen=a.seen[::10])),
}


@pytest.mark.parametrize("harm", HARM)
def test_harm_is_seen(harm: str) -> None:
    invariant, doctored = HARM[harm]
    found = violations(doctored(good()), None)
    assert any(words.startswith(f"{invariant}:") for words in found), found


def test_what_differs_from_the_undisturbed_run_is_seen() -> None:
    longer = replace(good(), processes=(("spawned", "v1.3"), ("ended", "v2.0"), ("ended", "v2.1")))
    more = replace(good(), written=(written(0, HALF), written(1, ALL_ON_V1)))
    assert [w[:3] for w in violations(good(), longer)] == ["I1:"]
    assert [w[:3] for w in violations(good(), more)] == ["I1:", "I1:"]


def test_a_thawed_worker_may_write_what_stood_there_already() -> None:
    again = replace(good(), written=good().written * 2)
    assert violations(again, good(), late_twice=True) == []
    other = replace(good(), written=(*good().written, written(1, HALF)))
    assert violations(other, good(), late_twice=True) != []


@pytest.mark.parametrize("fault", [Fault.KILLED, Fault.FROZEN, Fault.LOST])
@pytest.mark.parametrize("moment", Moment)
def test_a_fault_that_did_not_come_about_is_no_proof(fault: Fault, moment: Moment) -> None:
    point = Point(
        strategy="blue_green", step=1, activity="redirect_traffic", moment=moment, fault=fault
    )
    assert [words[:2] for words in was_struck(good(), point)] == ["M:"]
