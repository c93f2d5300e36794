"""What must hold of a rollback, whatever was done to its worker: judged from what was seen.

The statements are those of the invariants I1 (no effect twice), I2 (never under the floor), I3
(never half-shifted silently), I6 (one writer, epochs rise) and I10 (nothing lost). Each violation
begins with the invariant's name, or with `M` where a witness saw too little to judge.
"""

import re
from collections import Counter
from collections.abc import Iterator

from proof.kill_matrix.account import Account, End, Told
from rollback_manager.progress import EndState, Result, StepState

FLOOR = 3
"""⌈0.66 × 4⌉, by hand: four instances carry the traffic before the rollback."""
LOOKS_PER_S = 5
RATE = 60.0
"""Requests per second of the prober, and how many of them must at least have been sent."""
SENT = 0.9
SHARE = 0.99
ENOUGH = 20
"""Requests below which a share says nothing."""
MARK = re.compile(r"(\d+)\.(\d+)\.([0-9a-f]{16})")
WELL = End(shares={"v1": 100}, ready={"v1": 4, "v2": 0})


def violations(
    account: Account, reference: Account | None, *, late_twice: bool = False
) -> list[str]:
    """What does not hold, in words.

    reference: the account of an undisturbed run of the same strategy. late_twice: a frozen worker
    has thawed, and may have written what stood there already.
    """
    found = [
        *_once(account, late_twice=late_twice),
        *_order(account),
        *_processes(account),
        *_users(account),
        *_capacity(account),
        *_share(account),
        *_end(account),
        *kept(account),
    ]
    return found if reference is None else [*found, *_as(account, reference, late_twice)]


def harm(account: Account) -> list[str]:
    """What must not even happen in a rollback that stops half-way: done harm, whatever its end."""
    return [
        *_once(account, late_twice=False),
        *_order(account),
        *_processes(account, some_died=True),
        *_users(account),
        *_capacity(account),
        *_one_rollback(account),
    ]


def _as(account: Account, reference: Account, late_twice: bool) -> Iterator[str]:
    if account.end != reference.end:
        yield f"I3: the end {account.end} is not the undisturbed one, {reference.end}"
    if Counter(account.processes) != Counter(reference.processes):
        yield f"I1: supervisord did {account.processes}, not {reference.processes}"
    if account.effects != reference.effects:
        yield f"I1: users got the splits {account.effects}, not {reference.effects}"
    if not late_twice and len(account.written) != len(reference.written):
        shown = [one.version_info for one in account.written]
        yield f"I1: the route file was written {len(shown)} times: {shown}"


def _once(account: Account, *, late_twice: bool) -> Iterator[str]:
    """I1: an op_id has at most one effect, and but for a thawed worker is written once."""
    before: dict[str, int] | None = None
    effects: Counter[str] = Counter()
    for one in account.written:
        effects[one.version_info] += one.weights != before
        before = one.weights
    for op_id, times in effects.items():
        if times > 1:
            yield f"I1: {op_id} had an effect {times} times"
    for op_id, times in Counter(one.version_info for one in account.written).items():
        if times > 1 and not late_twice:
            yield f"I1: {op_id} was written {times} times"


def _order(account: Account) -> Iterator[str]:
    """I6: every write is ours, of one epoch, and none is of an earlier step than the one before."""
    epochs: set[int] = set()
    for name, row in (
        ("routes", [w.version_info for w in account.written]),
        ("marks", account.marks),
    ):
        last = (0, -1)
        for text in row:
            mark = MARK.fullmatch(text)
            if mark is None:
                yield f"I6: {name}: {text!r} is no mark of ours"
                continue
            now = int(mark[1]), int(mark[2])
            epochs.add(now[0])
            if now < last:
                yield f"I6: {name}: {text} was written after {last}: a late write got through"
            last = now
    if len(epochs) > 1:
        yield f"I6: {len(epochs)} epochs wrote: {sorted(epochs)}"
    for one in account.written:
        if sum(one.weights.values()) != 100:
            yield f"I3: the split {one.weights} does not sum to 100"


def _processes(account: Account, *, some_died: bool = False) -> Iterator[str]:
    """I1: only v1 is started, only v2 is stopped, each instance once.

    some_died: instances of v1 were ended from outside, which is none of the product's doing.
    """
    known = [e for e in account.processes if not some_died or e[0] == "spawned" or "v2" in e[1]]
    times = Counter(known)
    if twice := [event for event, count in times.items() if count > 1]:
        yield f"I1: supervisord did it twice: {twice}"
    if wrong := [
        e for e in times if e[1].partition(".")[0] != ("v1" if e[0] == "spawned" else "v2")
    ]:
        yield f"I1: an instance was started or stopped that should not have been: {wrong}"


def _users(account: Account) -> Iterator[str]:
    users = account.users
    if users.by_us:
        yield f"I2: {users.by_us} of {users.total} requests failed by our doing"
    if users.unsent or users.total < SENT * RATE * (account.seconds - 1):
        yield f"M: {users.total} requests in {account.seconds:.1f} s, {users.unsent} unsent"


def _capacity(account: Account) -> Iterator[str]:
    lowest = min(account.seen, key=lambda one: one.worth)
    if lowest.worth < FLOOR:
        yield (
            f"I2: only {lowest.worth:.1f} instances' worth carried users, floor {FLOOR}:"
            f" {lowest.weights}, ready {lowest.healthy}"
        )
    if len(account.seen) < LOOKS_PER_S * (account.seconds - 1):
        yield f"M: {len(account.seen)} looks in {account.seconds:.1f} s"


def _share(account: Account) -> Iterator[str]:
    """I3: drain begins only once Envoy itself gives the good version everything."""
    drained_from = account.first("activity_task_scheduled", "drain")
    shifted = [
        one
        for one in account.seen
        if drained_from and one.at <= drained_from and one.parts.keys() == {"shop-v1"}
    ]
    if not shifted:
        yield "I3: drain began before Envoy had all weight on v1"
        return
    first, last = shifted[0].requests, shifted[-1].requests
    grown = {name: last.get(name, 0) - first.get(name, 0) for name in last}
    total = sum(grown.values())
    if total >= ENOUGH and grown["shop-v1"] < SHARE * total:
        yield f"I3: before drain began v1 had {grown['shop-v1']} of {total} requests at Envoy"


def _end(account: Account) -> Iterator[str]:
    """I3: the world is rolled back, and what is declared is what is there."""
    outcome, end = account.outcome, account.end
    if end != WELL:
        yield f"I3: the world ended as {end}"
    if outcome.result is not Result.VERIFIED or len(outcome.services) != 1:
        yield f"I3: declared {outcome.result}: {outcome.because}"
        return
    (service,) = outcome.services
    if service.end is not EndState.ROLLED_BACK or service.found is None:
        yield f"I3: declared {service.end}, found {service.found}"
    elif service.found.shares != end.shares or service.found.ready != end.ready:
        yield f"I3: declared {service.found}, but it is {end}"


def kept(account: Told) -> Iterator[str]:
    """I10: the start that was accepted has one rollback, all its steps, and its record."""
    yield from _one_rollback(account)
    states = [
        str(s.kind) for o in account.outcome.services for s in o.steps if s.state is StepState.DONE
    ]
    planned = dict.fromkeys(
        h.activity for h in account.history if h.kind == "activity_task_completed"
    )
    if missing := [name for name in planned if name in STEPS and name not in states]:
        yield f"I10: {missing} completed and are not among the steps told of"
    if account.standing != "bad":
        yield f"I10: the records call the bad release {account.standing}"


def _one_rollback(account: Told) -> Iterator[str]:
    if account.started_runs != 1:
        yield f"I10: one start became {account.started_runs} rollbacks"


STEPS = frozenset(
    {"prepare", "redirect_traffic", "check_slice", "stop_batch", "drain", "verify", "clean_up"}
)
