"""What must hold of a rollback, whoever was killed: judged from what the witnesses saw.

The statements are those of the invariants I1 (no effect twice), I2 (never under the floor), I3
(never half-shifted silently) and I14 (what is declared is so).
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from demo.load import Summary
from rollback_manager.progress import EndState, Result, RollbackOutcome, StepState
from tests.end_to_end.witnesses import Seen, Written

FLOOR = 3
"""⌈0.66 × 4⌉, by hand: four instances carry the traffic before the rollback."""
LOOKS_PER_S = 10
REQUESTS_PER_S = 200
SHARE = 0.99
ENOUGH = 50
"""Requests below which a share says nothing; the product itself waits for 100."""
STEPS = ("prepare", "redirect_traffic", "drain", "verify", "clean_up")
OURS = re.compile(r"\d+\.\d+\.[0-9a-f]{16}")


@dataclass(frozen=True)
class End:
    """How the world stands when all is over, asked of Envoy and supervisord."""

    shares: dict[str, int]
    ready: dict[str, int]


@dataclass(frozen=True)
class Happened:
    """One event of the service's history."""

    at: datetime
    kind: str
    """As in `activity_task_scheduled`."""
    activity: str
    attempt: int


@dataclass(frozen=True)
class Account:
    """Everything that was seen of one rollback."""

    outcome: RollbackOutcome
    history: tuple[Happened, ...]
    written: tuple[Written, ...]
    processes: tuple[tuple[str, str], ...]
    users: Summary
    seen: tuple[Seen, ...]
    end: End
    seconds: float
    """From the start of the load to its end."""
    recovered_s: float | None = None
    """From the kill to the end of the rollback."""

    def attempts(self, name: str) -> int:
        """Attempts that the activity took, as Temporal counted them."""
        started = [h.attempt for h in self.history if h.kind == "activity_task_started"]
        names = [h.activity for h in self.history if h.kind == "activity_task_started"]
        return max((a for a, n in zip(started, names, strict=True) if n == name), default=0)

    def first(self, kind: str, name: str) -> datetime:
        """When that happened to the activity."""
        return next(h.at for h in self.history if (h.kind, h.activity) == (kind, name))


def violations(account: Account, reference: Account | None) -> list[str]:
    """What does not hold, in words; `reference` is the account of an undisturbed run."""
    found = [
        *_files(account.written),
        *_processes(account.processes),
        *_users(account),
        *_capacity(account),
        *_share(account),
        *_end(account),
    ]
    if reference is not None:
        if account.end != reference.end:
            found.append(f"the end {account.end} is not the undisturbed one, {reference.end}")
        if Counter(account.processes) != Counter(reference.processes):
            found.append(f"supervisord did {account.processes}, not {reference.processes}")
    return found


def _files(written: tuple[Written, ...]) -> Iterator[str]:
    shown = [(one.version_info, one.weights) for one in written]
    if len(written) != 1:
        yield f"{len(written)} versions of the route file, not one: {shown}"
    for op_id, times in Counter(one.version_info for one in written).items():
        if times > 1:
            yield f"{op_id} was written {times} times"
    for one in written:
        if not OURS.fullmatch(one.version_info) or one.weights != {"shop-v1": 100}:
            yield f"a version of the route file that is not the shift: {one}"


def _processes(events: tuple[tuple[str, str], ...]) -> Iterator[str]:
    times = Counter(events)
    if twice := [event for event, count in times.items() if count > 1]:
        yield f"supervisord did it twice: {twice}"
    started = [name for what, name in times if what == "spawned"]
    ended = [name for what, name in times if what != "spawned"]
    if len(started) != 2 or not all(name.startswith("shop-v1_") for name in started):
        yield f"not the two missing instances of v1 were started, but {started}"
    if len(ended) != 4 or not all(name.startswith("shop-v2_") for name in ended):
        yield f"not the four instances of v2 were stopped, but {ended}"


def _users(account: Account) -> Iterator[str]:
    users = account.users
    if users.by_us:
        yield f"{users.by_us} of {users.total} requests failed by our doing"
    if users.unsent or users.total < REQUESTS_PER_S * (account.seconds - 1):
        yield f"no measurement: {users.total} requests in {account.seconds:.1f} s, {users.unsent=}"


def _capacity(account: Account) -> Iterator[str]:
    lowest = min(one.carrying for one in account.seen)
    if lowest < FLOOR:
        yield f"only {lowest} ready instances carried users, floor {FLOOR}"
    if len(account.seen) < LOOKS_PER_S * (account.seconds - 1):
        yield f"no measurement: {len(account.seen)} looks in {account.seconds:.1f} s"


def _share(account: Account) -> Iterator[str]:
    drained_from = account.first("activity_task_scheduled", "drain")
    shifted = [
        one
        for one in account.seen
        if one.at <= drained_from and {k for k, part in one.weights.items() if part} == {"shop-v1"}
    ]
    if not shifted:
        yield "drain began before Envoy had all weight on v1"
        return
    first, last = shifted[0].requests, shifted[-1].requests
    grown = {name: last.get(name, 0) - first.get(name, 0) for name in last}
    total = sum(grown.values())
    if total < ENOUGH or grown["shop-v1"] < SHARE * total:
        yield f"before drain began v1 had {grown['shop-v1']} of {total} requests at Envoy"


def _end(account: Account) -> Iterator[str]:
    outcome, end = account.outcome, account.end
    if end != End(shares={"v1": 100}, ready={"v1": 4, "v2": 0}):
        yield f"the world ended as {end}"
    if outcome.result is not Result.VERIFIED or len(outcome.services) != 1:
        yield f"declared {outcome.result}: {outcome.because}"
        return
    (service,) = outcome.services
    if service.end is not EndState.ROLLED_BACK or service.found is None:
        yield f"declared {service.end}, found {service.found}"
    elif service.found.shares != end.shares or service.found.ready != end.ready:
        yield f"declared {service.found}, but it is {end}"
    steps = [(str(step.kind), step.state) for step in service.steps]
    if steps != [(name, StepState.DONE) for name in STEPS]:
        yield f"steps were {steps}"
