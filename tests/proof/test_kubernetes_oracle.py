"""The oracle on Kubernetes can fail: each kind of harm, put into a good account, is seen."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from demo.kubernetes.audit import Call
from proof.kill_matrix.account import Happened
from proof.kubernetes.account import MARK_PATH, US, Account, End, Write, writes
from proof.kubernetes.oracle import violations
from proof.kubernetes.users import RATE, Seen
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
BLUE, GREEN, SERVICE = "apps/deployments/shop-v1", "apps/deployments/shop-v2", "services/shop"
STEPS = ("prepare", "redirect_traffic", "drain", "verify", "clean_up")


def at(second: float) -> datetime:
    return BEGIN + timedelta(seconds=second)


def mark(step: int, epoch: int = 1) -> str:
    return f"{epoch}.{step}.{step:016x}"


def seen(second: float, version: str, ready: int = 4) -> Seen:
    return Seen(at(second), {version: 100.0}, {version: ready})


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


def outcome(result: Result = Result.VERIFIED, ready: int = 4) -> RollbackOutcome:
    found = Found(shares={"v1": 100}, ready={"v1": ready, "v2": 0})
    service = ServiceOutcome(
        service="shop",
        end=EndState.ROLLED_BACK,
        verified=True,
        because="",
        steps=tuple(map(step, STEPS)),
        found=found,
    )
    return RollbackOutcome(
        rollback="rollback/test/k", result=result, because="", effect="", services=(service,)
    )


def good() -> Account:
    """Blue/green as it should be."""
    return Account(
        strategy="blue_green",
        outcome=outcome(),
        history=(
            Happened(at(5), "activity_task_scheduled", "drain", 0),
            *(Happened(at(6), "activity_task_completed", name, 0) for name in STEPS),
        ),
        standing="bad",
        started_runs=1,
        seconds=SECONDS,
        writes=(
            Write(BLUE, mark(0), ("/spec/replicas = 4",)),
            Write(SERVICE, mark(1), ("/spec/selector = v1",)),
            Write(GREEN, mark(4), ("/spec/replicas = 0",)),
        ),
        refused=0,
        seen=tuple(seen(n / 4, "v2" if n < 16 else "v1") for n in range(40)),
        sent=RATE * SECONDS,
        failed=0.0,
        end=End({"v1": 100}, {"v1": 4}, {"v1": 4}, {BLUE: 1, GREEN: 1}),
    )


def later(*more: Write) -> Callable[[Account], Account]:
    return lambda account: replace(account, writes=(*account.writes, *more))


HARM: dict[str, tuple[str, Callable[[Account], Account]]] = {
    "an effect twice": ("I1", later(Write(GREEN, mark(4), ("/spec/replicas = 1",)))),
    "somebody changed it beside us": (
        "I1",
        lambda a: replace(a, end=replace(a.end, changes={BLUE: 2, GREEN: 1})),
    ),
    "another order of effects": ("I1", lambda a: replace(a, writes=a.writes[:2])),
    "a late write": ("I6", later(Write(BLUE, mark(0), ()))),
    "no mark": ("I6", later(Write(BLUE, "", ()))),
    "two epochs": ("I6", later(Write(BLUE, mark(0, epoch=2), ()))),
    "users without a pod": ("I2", lambda a: replace(a, failed=3.0)),
    "below the floor": ("I2", lambda a: replace(a, seen=(*a.seen, seen(9.9, "v1", ready=2)))),
    "drained too early": (
        "I3",
        lambda a: replace(a, history=(Happened(at(3), *("activity_task_scheduled", "drain"), 0),)),
    ),
    "a pod of the bad version is left": (
        "I3",
        lambda a: replace(a, end=replace(a.end, pods={"v1": 4, "v2": 1})),
    ),
    "declared otherwise": ("I3", lambda a: replace(a, outcome=outcome(Result.ABORTED))),
    "declared with fewer": ("I3", lambda a: replace(a, outcome=outcome(ready=3))),
    "not recorded": ("I10", lambda a: replace(a, standing="candidate")),
    "started twice": ("I10", lambda a: replace(a, started_runs=2)),
    "nobody looked": ("M", lambda a: replace(a, seen=a.seen[::8])),
    "nobody asked": ("M", lambda a: replace(a, sent=10.0)),
}


def test_a_good_account_has_no_violation() -> None:
    assert violations(good(), good()) == []


@pytest.mark.parametrize("harm", HARM)
def test_each_harm_is_seen(harm: str) -> None:
    invariant, done = HARM[harm]
    found = violations(done(good()), good())
    assert any(words.startswith(f"{invariant}:") for words in found), found


def call(step: int, *operations: dict[str, Any], status: int = 200, agent: str = US) -> Call:
    body = [*operations, {"op": "add", "path": MARK_PATH, "value": mark(step)}]
    return Call(
        at=BEGIN,
        user="worker",
        agent=agent,
        verb="patch",
        resource="apps/deployments",
        namespace="n",
        name="shop-v1",
        status=status,
        dry_run=False,
        body=[{"op": "test", "path": "/metadata/uid", "value": "u"}, *body],
    )


def test_writes_are_told_from_the_audit_log_with_what_they_changed() -> None:
    four = {"op": "add", "path": "/spec/replicas", "value": 4}
    two = {"op": "add", "path": "/spec/replicas", "value": 2}
    calls = [
        *(call(0, four), call(0, four), call(1, two), call(0, four, status=422)),
        call(0, four, agent="kubectl"),
    ]
    found = writes(calls, {(BLUE, "/spec/replicas"): 2})
    assert [(one.mark, one.effects) for one in found] == [
        (mark(0), ("/spec/replicas = 4",)),
        (mark(0), ()),
        (mark(1), ("/spec/replicas = 2",)),
    ]
